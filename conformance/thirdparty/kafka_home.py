"""A directory that looks like Kafka's distribution to a test that calls ``$KAFKA_PATH/bin/kafka-topics.sh``.

The scripts run the main classes of the same jars that the reference broker runs.
"""

from __future__ import annotations

import pathlib

from conformance import brokers

TOOLS = {
    "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
    "kafka-configs.sh": "kafka.admin.ConfigCommand",
    "kafka-acls.sh": "org.apache.kafka.tools.AclCommand",
    "kafka-run-class.sh": "",
}
SCRIPT = '#!/bin/sh\nexec java -Xmx256m -cp "$CLASSPATH:{jars}/*" {main} "$@"\n'


def make(directory: pathlib.Path) -> pathlib.Path:
    jars = brokers.apache_jars()
    (directory / "bin").mkdir(parents=True, exist_ok=True)
    for name, main in TOOLS.items():
        script = directory / "bin" / name
        if not script.exists():  # others may be running it
            script.write_text(SCRIPT.format(jars=jars, main=main))
            script.chmod(0o755)
    libs = directory / "libs"
    if not libs.is_symlink():
        libs.symlink_to(jars)
    return directory
