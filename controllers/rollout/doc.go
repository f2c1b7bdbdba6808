// Package rollout decides about the Deployment of a tenant's server: what its conditions are, and why none of its pods serves. It reads and writes
// nothing and has no clock: package controllers reads the Deployment, the pods and the names of Secrets, and tells of what was decided.
package rollout
