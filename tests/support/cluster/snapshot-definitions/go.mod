module turbo-hipster.io/snapshot-definitions

go 1.26.0

// Nothing of it is compiled: the definitions are files in it. `go mod tidy` would take it away; `go mod download` writes go.sum.
require github.com/kubernetes-csi/external-snapshotter/client/v8 v8.7.0
