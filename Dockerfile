# Two images: `api` (small, without torch) and `worker`. Both run the `sufficiency` command, as native installations do.
#   docker build --target api -t sufficiency-api .
#   docker build --target worker -t sufficiency-worker .

FROM python:3.12-slim AS build
RUN python -m venv /opt/sufficiency
ENV PATH=/opt/sufficiency/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY sufficiency sufficiency
COPY app app
COPY worker worker
COPY migrations migrations

FROM build AS build-api
RUN pip install -c constraints.txt ".[service,plot]"

FROM build AS build-worker
# An index that carries other builds of torch, such as the CPU-only ones; without it, the build with CUDA is installed.
ARG TORCH_INDEX=""
RUN pip install -c constraints.txt ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} ".[worker]"

FROM python:3.12-slim AS base
RUN useradd --system --create-home --uid 10001 sufficiency
ENV PATH=/opt/sufficiency/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /home/sufficiency
USER sufficiency
ENTRYPOINT ["sufficiency"]

FROM base AS worker
COPY --from=build-worker /opt/sufficiency /opt/sufficiency
# The worker is the container's first process. Neither database nor broker is asked. `-I`: whatever a plugin's path holds.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
    CMD ["python", "-I", "-m", "worker.alive"]
CMD ["worker"]

# Last, so that a plain `docker build .` makes the small one
FROM base AS api
COPY --from=build-api /opt/sufficiency /opt/sufficiency
ENV SUFFICIENCY_HOST=0.0.0.0 SUFFICIENCY_PORT=8000
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-I", "-c", "import os, httpx; httpx.get(f'http://127.0.0.1:{os.environ[\"SUFFICIENCY_PORT\"]}/readyz').raise_for_status()"]
CMD ["serve"]
