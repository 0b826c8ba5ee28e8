# The page, built with the versions that its lock file pins.
FROM node:22-slim AS page
WORKDIR /src/web
COPY web/package.json web/package-lock.json ./
RUN npm ci --no-audit --no-fund --loglevel=error
COPY web ./
RUN npm run --silent build

FROM python:3.11-slim
# For NVIDIA GPUs leave this empty: PyPI's own build of torch is the CUDA one.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY contracts contracts
COPY bus bus
COPY providers providers
COPY actors actors
COPY api api
COPY promptbus promptbus
COPY --from=page /src/promptbus/page promptbus/page
RUN pip install --no-cache-dir ${TORCH_INDEX:+--extra-index-url $TORCH_INDEX} \
    --constraint constraints.txt '.[all,postgres]' \
    && useradd --create-home promptbus \
    && install --directory --owner promptbus /data
USER promptbus
ENV PROMPTBUS_DATA_DIR=/data
ENTRYPOINT ["promptbus"]
