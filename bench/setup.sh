#!/bin/sh
# Installs what `npm run bench` measures against, from Debian's own packages. Needs root.
set -eu
apt-get update
DEBIAN_FRONTEND=noninteractive apt-get install -y etcd-server etcd-client golang postgresql-15
# The package starts a server of its own; the measurements start theirs.
pg_dropcluster --stop 15 main 2>/dev/null || true
