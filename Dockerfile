# One image is a whole deployment: the server, and the front end that it serves.
# Any base with Node 24 and npm will do, so that it can be built where this one is out of reach.
ARG BASE=node:24-bookworm-slim

FROM ${BASE} AS build
ENV CI=1 TURBO_TELEMETRY_DISABLED=1
WORKDIR /src

# The manifests first: as long as they stay the same, the install below comes from the cache.
COPY package.json pnpm-lock.yaml pnpm-workspace.yaml ./
COPY packages/protocol/package.json packages/protocol/
COPY packages/replica/package.json packages/replica/
COPY packages/server/package.json packages/server/
COPY packages/sync-client/package.json packages/sync-client/
COPY apps/t69/package.json apps/t69/
COPY tests/package.json tests/
RUN npx --yes pnpm@12.21.0 install --frozen-lockfile --filter @t69/server... --filter @t69/app... --filter t69-sync

COPY . .
RUN npx --yes pnpm@12.21.0 exec turbo run build --filter @t69/server --filter @t69/app
# What runs is the server, its dependencies and nothing that was only needed to build it.
RUN npx --yes pnpm@12.21.0 deploy --legacy --prod --filter @t69/server /deploy \
  && cp -r apps/t69/dist /deploy/app

FROM ${BASE} AS run
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 DATA_DIR=/data STATIC_DIR=/srv/t69/app
WORKDIR /srv/t69
COPY --from=build /deploy ./
# A volume takes over the owner of the folder that it is first mounted on.
RUN groupadd --gid 10001 t69 \
  && useradd --uid 10001 --gid t69 --home-dir /srv/t69 --no-create-home --shell /usr/sbin/nologin t69 \
  && install --directory --owner t69 --group t69 --mode 0700 /data
# The command of whoever runs it: `docker compose exec t69 t69-server users list`. It opens databases with sqlite3.
RUN printf '#!/bin/sh\nexec node /srv/t69/dist/main.js "$@"\n' > /usr/local/bin/t69-server \
  && chmod 0755 /usr/local/bin/t69-server \
  && { command -v sqlite3 || { apt-get update && apt-get install --yes --no-install-recommends sqlite3 && rm -rf /var/lib/apt/lists/*; }; }
USER t69
VOLUME /data
EXPOSE 3000
# The server ends cleanly on SIGTERM, as process 1 too: no init is needed.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
  CMD ["node", "--eval", "fetch(`http://127.0.0.1:${process.env.PORT}/ready`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Why the flag: docs/decisions/0094.
CMD ["node", "--no-memory-protection-keys", "dist/main.js"]
