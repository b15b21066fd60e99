# docker build -t pykafkad . && docker run -p 9092:9092 -e KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://localhost:9092 pykafkad
# Every setting can be given as in Kafka's own image: log.retention.hours is KAFKA_LOG_RETENTION_HOURS.

FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY pykafkad pykafkad
COPY protocol protocol
RUN python -m venv /opt/pykafkad && /opt/pykafkad/bin/pip install --no-cache-dir .

FROM python:3.13-slim
RUN useradd --system --uid 1001 --home-dir /var/lib/pykafkad --create-home --shell /usr/sbin/nologin pykafkad
COPY --from=build /opt/pykafkad /opt/pykafkad
COPY config/server.properties /etc/pykafkad/server.properties
ENV PATH=/opt/pykafkad/bin:$PATH PYTHONUNBUFFERED=1
USER pykafkad
WORKDIR /var/lib/pykafkad
VOLUME /var/lib/pykafkad
EXPOSE 9092 9644
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s CMD ["pykafkad", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["pykafkad"]
CMD ["serve", "/etc/pykafkad/server.properties"]
