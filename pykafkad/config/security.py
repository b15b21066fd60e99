"""Who may connect and do what: TLS, SASL, ACLs, delegation tokens."""

from __future__ import annotations

from pykafkad.config.setting import (
    PER_BROKER,
    Settings,
    any_case_of,
    at_least,
    between,
    boolean,
    class_name,
    double,
    integer,
    items,
    long,
    one_of,
    password,
    short,
    string,
)


class SecuritySettings(Settings):
    allow_everyone_if_no_acl_found = boolean(
        False, "Whether a resource without any ACL is open to everybody instead of to super users only."
    )
    authorizer_class_name = string(
        "", "Turns ACLs on when it names Kafka's StandardAuthorizer; empty allows everything."
    )
    connection_failed_authentication_delay_ms = integer(
        100, "A failed authentication is answered this late, to slow down guessing.", at_least(0)
    )
    connections_max_reauth_ms = long(0, "A SASL session must authenticate again within this time; 0 means never.")
    delegation_token_expiry_check_interval_ms = long(
        3_600_000, "How often expired delegation tokens are removed.", at_least(1)
    )
    delegation_token_expiry_time_ms = long(
        86_400_000, "A delegation token lives this long before it must be renewed.", at_least(1)
    )
    delegation_token_max_lifetime_ms = long(
        604_800_000, "A delegation token cannot be renewed beyond this age.", at_least(1)
    )
    delegation_token_secret_key = password(
        None, "Key that delegation tokens are signed with, the same on all brokers; unset turns tokens off."
    )
    principal_builder_class = class_name(
        "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder",
        "Accepted for compatibility; principals are built in Kafka's default way.",
        update=PER_BROKER,
    )
    sasl_client_callback_handler_class = class_name(
        None, "Accepted for compatibility; Java callback classes are not run."
    )
    sasl_enabled_mechanisms = items(("GSSAPI",), "SASL mechanisms that clients may use.", update=PER_BROKER)
    sasl_jaas_config = password(
        None, "Login of this broker in JAAS form, per listener and mechanism.", update=PER_BROKER
    )
    sasl_kerberos_kinit_cmd = string(
        "/usr/bin/kinit", "Accepted for compatibility; Kerberos is not supported.", update=PER_BROKER
    )
    sasl_kerberos_min_time_before_relogin = long(
        60_000, "Accepted for compatibility; Kerberos is not supported.", update=PER_BROKER
    )
    sasl_kerberos_principal_to_local_rules = items(
        ("DEFAULT",), "Accepted for compatibility; Kerberos is not supported.", update=PER_BROKER
    )
    sasl_kerberos_service_name = string(
        None, "Accepted for compatibility; Kerberos is not supported.", update=PER_BROKER
    )
    sasl_kerberos_ticket_renew_jitter = double(
        0.05, "Accepted for compatibility; Kerberos is not supported.", update=PER_BROKER
    )
    sasl_kerberos_ticket_renew_window_factor = double(
        0.8, "Accepted for compatibility; Kerberos is not supported.", update=PER_BROKER
    )
    sasl_login_callback_handler_class = class_name(
        None, "Accepted for compatibility; Java callback classes are not run."
    )
    sasl_login_class = class_name(None, "Accepted for compatibility; Java login classes are not run.")
    sasl_login_connect_timeout_ms = integer(None, "Longest wait for a connection to the token provider.")
    sasl_login_read_timeout_ms = integer(None, "Longest wait for an answer of the token provider.")
    sasl_login_refresh_buffer_seconds = short(
        300, "Time before its end by which a token is to be refreshed.", update=PER_BROKER
    )
    sasl_login_refresh_min_period_seconds = short(60, "Least time between two refreshes of a token.", update=PER_BROKER)
    sasl_login_refresh_window_factor = double(
        0.8, "Share of a token's life after which it is refreshed.", update=PER_BROKER
    )
    sasl_login_refresh_window_jitter = double(
        0.05, "Random share added to the time of a token's refresh.", update=PER_BROKER
    )
    sasl_login_retry_backoff_max_ms = long(10_000, "Longest wait between attempts at the token provider.")
    sasl_login_retry_backoff_ms = long(100, "First wait between attempts at the token provider.")
    sasl_mechanism_controller_protocol = string("GSSAPI", "SASL mechanism towards controllers.")
    sasl_mechanism_inter_broker_protocol = string("GSSAPI", "SASL mechanism among brokers.", update=PER_BROKER)
    sasl_oauthbearer_assertion_algorithm = string(
        "RS256", "Signature of assertions that the broker makes for itself.", any_case_of("ES256", "RS256")
    )
    sasl_oauthbearer_assertion_claim_aud = string(
        None, "Audience claim of assertions that the broker makes for itself."
    )
    sasl_oauthbearer_assertion_claim_exp_seconds = integer(
        300, "Life of assertions that the broker makes for itself.", between(0, 86_400)
    )
    sasl_oauthbearer_assertion_claim_iss = string(None, "Issuer claim of assertions that the broker makes for itself.")
    sasl_oauthbearer_assertion_claim_jti_include = boolean(
        False, "Whether assertions that the broker makes for itself carry an id."
    )
    sasl_oauthbearer_assertion_claim_nbf_seconds = integer(
        60, "How far in the past assertions that the broker makes for itself begin.", between(0, 3600)
    )
    sasl_oauthbearer_assertion_claim_sub = string(None, "Subject claim of assertions that the broker makes for itself.")
    sasl_oauthbearer_assertion_file = string(None, "File with a ready-made assertion.")
    sasl_oauthbearer_assertion_private_key_file = string(None, "File with the key that assertions are signed with.")
    sasl_oauthbearer_assertion_private_key_passphrase = password(
        None, "Passphrase of the key that assertions are signed with."
    )
    sasl_oauthbearer_assertion_template_file = string(None, "File with further claims of assertions.")
    sasl_oauthbearer_client_credentials_client_id = string(None, "Client id of the broker at the token provider.")
    sasl_oauthbearer_client_credentials_client_secret = password(
        None, "Client secret of the broker at the token provider."
    )
    sasl_oauthbearer_clock_skew_seconds = integer(30, "Difference between clocks that a token's times may show.")
    sasl_oauthbearer_expected_audience = items((), "Audiences of which a token must name one.")
    sasl_oauthbearer_expected_issuer = string(None, "Issuer that a token must name.")
    sasl_oauthbearer_jwks_endpoint_refresh_ms = long(
        3_600_000, "How often the token provider's keys are fetched again."
    )
    sasl_oauthbearer_jwks_endpoint_retry_backoff_max_ms = long(
        10_000, "Longest wait between attempts to fetch the token provider's keys."
    )
    sasl_oauthbearer_jwks_endpoint_retry_backoff_ms = long(
        100, "First wait between attempts to fetch the token provider's keys."
    )
    sasl_oauthbearer_jwks_endpoint_url = string(None, "Where the token provider's keys are found.")
    sasl_oauthbearer_jwt_retriever_class = class_name(
        "org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever",
        "Accepted for compatibility; Java token classes are not run.",
    )
    sasl_oauthbearer_jwt_validator_class = class_name(
        "org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator",
        "Accepted for compatibility; Java token classes are not run.",
    )
    sasl_oauthbearer_scope = string(None, "Scope that the broker asks the token provider for.")
    sasl_oauthbearer_scope_claim_name = string("scope", "Claim of a token that holds its scope.")
    sasl_oauthbearer_sub_claim_name = string("sub", "Claim of a token that holds the principal's name.")
    sasl_oauthbearer_token_endpoint_url = string(None, "Where the token provider hands out tokens.")
    sasl_server_callback_handler_class = class_name(
        None, "Accepted for compatibility; Java callback classes are not run."
    )
    sasl_server_max_receive_size = integer(524_288, "Largest request or token before a client is authenticated.")
    security_inter_broker_protocol = string(
        "PLAINTEXT",
        "Security protocol among brokers when inter.broker.listener.name is unset.",
        one_of("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
    )
    security_providers = string(None, "Accepted for compatibility; there are no Java security providers here.")
    ssl_allow_dn_changes = boolean(False, "Whether a new certificate may carry another subject name.")
    ssl_allow_san_changes = boolean(False, "Whether a new certificate may carry other alternative names.")
    ssl_cipher_suites = items((), "TLS cipher suites; empty leaves the choice to OpenSSL.", update=PER_BROKER)
    ssl_client_auth = string(
        "none",
        "Whether clients must, may or need not show a certificate.",
        one_of("required", "requested", "none"),
        update=PER_BROKER,
    )
    ssl_enabled_protocols = items(("TLSv1.2", "TLSv1.3"), "TLS versions that are accepted.", update=PER_BROKER)
    ssl_endpoint_identification_algorithm = string(
        "https", "How brokers check each other's host names; empty turns the check off.", update=PER_BROKER
    )
    ssl_engine_factory_class = class_name(
        None, "Accepted for compatibility; Java TLS engines are not run.", update=PER_BROKER
    )
    ssl_key_password = password(None, "Password of the private key.", update=PER_BROKER)
    ssl_keymanager_algorithm = string(
        "SunX509", "Accepted for compatibility; it names a Java key manager.", update=PER_BROKER
    )
    ssl_keystore_certificate_chain = password(None, "Certificate chain in PEM form.", update=PER_BROKER)
    ssl_keystore_key = password(None, "Private key in PEM form.", update=PER_BROKER)
    ssl_keystore_location = string(None, "File with the broker's certificate chain and key.", update=PER_BROKER)
    ssl_keystore_password = password(None, "Password of the key store file.", update=PER_BROKER)
    ssl_keystore_type = string("JKS", "Format of the key store file.", update=PER_BROKER)
    ssl_principal_mapping_rules = string("DEFAULT", "Rules that turn a certificate's subject into a principal's name.")
    ssl_protocol = string("TLSv1.3", "TLS version for the broker's own connections.", update=PER_BROKER)
    ssl_provider = string(None, "Accepted for compatibility; it names a Java security provider.", update=PER_BROKER)
    ssl_secure_random_implementation = string(
        None, "Accepted for compatibility; random numbers come from the system.", update=PER_BROKER
    )
    ssl_trustmanager_algorithm = string(
        "PKIX", "Accepted for compatibility; it names a Java trust manager.", update=PER_BROKER
    )
    ssl_truststore_certificates = password(None, "Trusted certificates in PEM form.", update=PER_BROKER)
    ssl_truststore_location = string(None, "File with the certificates that are trusted.", update=PER_BROKER)
    ssl_truststore_password = password(None, "Password of the trust store file.", update=PER_BROKER)
    ssl_truststore_type = string("JKS", "Format of the trust store file.", update=PER_BROKER)
    super_users = string("", "Principals that may do everything, separated by semicolons.")
