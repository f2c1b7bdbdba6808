// Command scale measures what the operator costs with many tenants, against the ceilings that it must keep: it starts a
// kube-apiserver with etcd, a kubelet that only pretends, and the operator as a process of its own, and prints a table.
//
// `make scale` runs it. It is no test, because no test asserts a time.
package main
