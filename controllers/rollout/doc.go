// Package rollout decides about the Deployment of a tenant's server: whether it may change now or waits until other servers are upgraded, what its
// conditions are, why none of its pods serves, and when to look again. It reads and writes nothing and has no clock: package controllers reads
// Deployments, pods and the names of Secrets, applies what was decided, and tells of it. Package desired has what is in the Deployment.
//
// A change of the tenant's spec is applied at once, and so is what repairs a server. An upgrade is a change of pods that no tenant asked for, because
// the operator is another one than before. It is bounded:
//
//   - At most as many servers as the limit of Limiter, of those that were available, restart at a time. The Deployments say which, also to an
//     operator that starts in the middle.
//   - An image that does not work stops the upgrade after that many tenants, because a server keeps its place until it is available again.
//   - A server that was broken before the upgrade holds no place, though it waits for a free one. Nor does one whose rollout somebody paused.
//   - A server that waits serves as before: ServerAvailable stays True, and RolledOut is False.
//
// A cause is told in one line of a bounded length, in the words of the Deployment and its pods. The parameters of URLs are left out, because a
// signature among them lets in whoever has it.
package rollout
