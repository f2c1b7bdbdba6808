#!/usr/bin/env bash
# manifests.sh BIN prints what a bare cluster needs before anything can be installed in it: storage and an ingress controller.
set -euo pipefail
. "$(dirname "$0")/settings.sh"
bin=$1
traefik=$(basename "$(dirname "$(readlink -f "$bin/traefik.tar")")")
traefik=${traefik#traefik-}

# Claims bind to ready-made volumes: directories on the node. "local" rather than hostPath, because only there fsGroup
# gives a container that is not root the right to write.
cat <<YAML
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: standard, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}
provisioner: kubernetes.io/no-provisioner
volumeBindingMode: WaitForFirstConsumer
YAML
for n in 1 2 3 4 5 6 7 8 9 10; do
	mkdir -p "$state/volumes/$n"
	cat <<YAML
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: volume-$n}
spec:
  storageClassName: standard
  capacity: {storage: 10Gi}
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  local: {path: $state/volumes/$n}
  nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [$node_name]}]}]}}
YAML
done
sed -e "s|@VERSION@|${traefik%-*}|" -e "s|@NODE_IP@|$node_ip|" "$here/traefik.yaml"
