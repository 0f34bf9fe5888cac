# inboxkit in a container: SMTP on 1025, HTTP on 8025, everything it keeps in /data.
FROM python:3.13-slim AS build
WORKDIR /build
COPY pyproject.toml README.md LICENSE ./
COPY inboxkit ./inboxkit
COPY handlers ./handlers
RUN python -m venv /opt/inboxkit
RUN /opt/inboxkit/bin/pip install --no-cache-dir ".[speed,postgres,s3,auth,signatures,docs,mcp]"

FROM python:3.13-slim
RUN useradd --system --uid 10001 --create-home --home-dir /data inboxkit
COPY --from=build /opt/inboxkit /opt/inboxkit
ENV PATH="/opt/inboxkit/bin:$PATH" \
    PYTHONUNBUFFERED=1 \
    INBOXKIT_DATABASE="sqlite:////data/inboxkit.db" \
    INBOXKIT_SMTP="0.0.0.0:1025" \
    INBOXKIT_HTTP="0.0.0.0:8025" \
    INBOXKIT_LOG_FORMAT="json"
USER inboxkit
WORKDIR /data
VOLUME /data
EXPOSE 1025 8025
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8025/readyz', timeout=4)"]
# HTTP is open to other hosts, so it starts only with INBOXKIT_API_KEY, or once a key was made.
CMD ["inboxkit", "run"]
