package v1alpha1

// Condition types of both kinds. Each is present from the first visit of the operator on, Unknown where it is not known yet.
const (
	// ConditionReady sums up: clients are served as the spec says. A change that was refused while the last good version goes on is told by
	// a condition beside it.
	ConditionReady = "Ready"
	// ConditionReconciling is True while the operator works towards the spec; absent otherwise (kstatus).
	ConditionReconciling = "Reconciling"
	// ConditionStalled is True while the spec cannot be reached without a change by a person; absent otherwise (kstatus). Clients may
	// be served meanwhile: Ready says whether they are.
	ConditionStalled = "Stalled"
	// ConditionAccepted tells whether the spec makes sense: names exist, filters parse, the host is free.
	ConditionAccepted = "Accepted"
)

// Condition types of a ProvisioningTenant.
const (
	// ConditionEntraTenantVerified tells whether spec.identityProvider.entra.tenantID is a tenant of its cloud. It never holds back
	// Ready: tokens are valid whatever the login authority says.
	ConditionEntraTenantVerified = "EntraTenantVerified"
	// ConditionCredentialsReady tells whether the server has a token to check requests against.
	ConditionCredentialsReady = "CredentialsReady"
	// ConditionStorageReady tells whether the volume for the directory, or the Secret with the connection URL of its
	// database, is there, and whether the server can work with it.
	ConditionStorageReady = "StorageReady"
	// ConditionServerAvailable tells whether the SCIM server answers, where it can be that of the generation before while replicas are
	// replaced one after the other.
	ConditionServerAvailable = "ServerAvailable"
	// ConditionRolledOut tells whether every pod of the server is as this generation and the operator want it. It never holds back Ready.
	ConditionRolledOut = "RolledOut"
	// ConditionExposureInEffect tells whether the tenant has the host, and is reached by the route, that spec.exposure asks for. It never holds
	// back Ready: the tenant goes on with the host and the route that it had.
	ConditionExposureInEffect = "ExposureInEffect"
	// ConditionStorageInEffect tells whether the directory is where spec.storage says and on a volume of that size. It never holds back
	// Ready: the server goes on with the storage that it has.
	ConditionStorageInEffect = "StorageInEffect"
	// ConditionClassInEffect tells whether the tenant has what its class and its spec say together. It is there where a class has a say. It never
	// holds back Ready: where it is False, the tenant goes on with what it had.
	ConditionClassInEffect = "ClassInEffect"
	// ConditionSchemaInEffect tells whether the server works with the extension schemas of spec.schema. It never holds back Ready: the
	// server goes on with the definitions that it had.
	ConditionSchemaInEffect = "SchemaInEffect"
	// ConditionUserDefaultsInEffect tells whether the server works with every UserDefaults of the tenant as it is. It never holds back Ready:
	// the server goes on with the last good version of one that is refused.
	ConditionUserDefaultsInEffect = "UserDefaultsInEffect"
	// ConditionExposed tells whether the Tenant URL leads to the server.
	ConditionExposed = "Exposed"
	// ConditionProvisioningHealthy tells how the client fares that provisions, by what the server reports in status.activity. It
	// never holds back Ready.
	ConditionProvisioningHealthy = "ProvisioningHealthy"
	// ConditionRequestsObeyed tells whether all was done that annotations ask for. It never holds back Ready.
	ConditionRequestsObeyed = "RequestsObeyed"
)

// ConditionApplied tells whether the tenant's SCIM server works with this generation of a UserDefaults.
const ConditionApplied = "Applied"

// Reasons that say that all is well or on its way.
const (
	// ReasonReady: everything is as the spec says.
	ReasonReady = "Ready"
	// ReasonProvisioningSuspended: everything is as the spec says, and the spec says that provisioning is suspended: clients that
	// provision are answered 503 and try again later. Set spec.provisioning.state to Active to go on.
	ReasonProvisioningSuspended = "ProvisioningSuspended"
	// ReasonAccessSuspended: everything is as the spec says, and the spec says that access is suspended: readers and people are answered
	// 503 and try again later. Set spec.access.state to Active to go on.
	ReasonAccessSuspended = "AccessSuspended"
	// ReasonSuspended: everything is as the spec says, and the spec says that provisioning and access are suspended: every client is
	// answered 503 and tries again later. Set spec.provisioning.state and spec.access.state to Active to go on.
	ReasonSuspended = "Suspended"
	// ReasonAccepted: the spec makes sense.
	ReasonAccepted = "Accepted"
	// ReasonProgressing: work is under way; the message says on what. Nothing needs to be done.
	ReasonProgressing = "Progressing"
	// ReasonTerminating: the tenant or UserDefaults is being deleted, and finalizers keep it. Nothing of such a tenant is made again, nothing that
	// annotations ask for is done, and such defaults count as deleted. The tool that set a finalizer takes it away when it is done.
	ReasonTerminating = "Terminating"
	// ReasonReconcileDisabled: an annotation makes the operator keep its hands off the tenant. Its objects stay as they are, nothing is put back,
	// rotated or upgraded, and nobody looks whether clients are served. Remove annotation provisioning.tenantry.dev/reconcile to go on.
	ReasonReconcileDisabled = "ReconcileDisabled"
	// ReasonIssued: the token was generated; the Secret named in status.credentials holds it.
	ReasonIssued = "Issued"
	// ReasonCopied: the Secret with the plaintext token was deleted, as one may after copying; the token stays valid.
	ReasonCopied = "Copied"
	// ReasonRotated: a new token was generated, and the one before is valid for a while yet; the message says until when. Paste
	// the new one into Microsoft Entra ID before that.
	ReasonRotated = "Rotated"
	// ReasonPreviousExpiring: the token before ends within a day. Paste the new one into Microsoft Entra ID now, if that was not
	// done yet.
	ReasonPreviousExpiring = "PreviousExpiring"
	// ReasonTokenLost: the Secret Token was lost with both Secrets that told of it, and a new one was issued. Microsoft Entra ID is locked out: paste
	// the new one there, or put the old one back where you kept it.
	ReasonTokenLost = "TokenLost"
	// ReasonTokenReplaced: an older state of the Secrets was put back, or a token into a Secret, and a credential ended that clients may use. Paste the
	// present token into Microsoft Entra ID, or put the one that ended back. The message names it by its fingerprint.
	ReasonTokenReplaced = "TokenReplaced"
	// ReasonValueRefused: a Secret holds a value that somebody put there and the server does not accept; the message says why. Put a token back
	// that Tenantry issued for this credential, without anything around it, or rotate the credential for a new one.
	ReasonValueRefused = "ValueRefused"
	// ReasonObeyed: no annotation asks for what was not done.
	ReasonObeyed = "Obeyed"
	// ReasonBound: the volume claim is bound.
	ReasonBound = "Bound"
	// ReasonConfigured: the Secret with the connection URL is there, and no server has a problem with the database.
	ReasonConfigured = "Configured"
	// ReasonMoving: the directory is being moved to PostgreSQL; no server runs meanwhile. See the log of the Job that the message names, if it
	// stays so.
	ReasonMoving = "Moving"
	// ReasonAvailable: the Deployment is available.
	ReasonAvailable = "Available"
	// ReasonRolledOut: every pod is as the spec and the operator want it.
	ReasonRolledOut = "RolledOut"
	// ReasonInEffect: this part of the spec is in effect.
	ReasonInEffect = "InEffect"
	// ReasonUpgradePending: the server answers and its upgrade waits until enough others are done with theirs. Nothing needs to be
	// done; if it lasts, the new version does not become available for the tenants that are not ready: see why.
	ReasonUpgradePending = "UpgradePending"
	// ReasonIngressReady: an ingress controller has taken the Ingress.
	ReasonIngressReady = "IngressReady"
	// ReasonIngressAssumed: the Ingress exists, and nobody has confirmed that a controller routes it, because
	// spec.exposure.ingress.readiness is Assumed. See with kubectl tenantry check that the Tenant URL leads to the server, after each change
	// of the route too.
	ReasonIngressAssumed = "IngressAssumed"
	// ReasonRouteAccepted: every Gateway has taken the HTTPRoute.
	ReasonRouteAccepted = "RouteAccepted"
	// ReasonRouteKept: the tenant is reached by the route that it had, because the one that the spec asks for does not work yet: condition
	// ExposureInEffect says why.
	ReasonRouteKept = "RouteKept"
	// ReasonNotExposed: spec.exposure.type is None; the platform routes to the Service.
	ReasonNotExposed = "NotExposed"
	// ReasonVerified: the login authority knows the Entra tenant.
	ReasonVerified = "Verified"
	// ReasonNotConfigured: spec.identityProvider.entra is not given, so there is nothing to verify.
	ReasonNotConfigured = "NotConfigured"
	// ReasonNoRequests: no client that may provision has sent a request yet. Paste the Tenant URL and the Secret Token into
	// Microsoft Entra ID, if that was not done yet.
	ReasonNoRequests = "NoRequests"
	// ReasonHealthy: the client that provisions is let in, and what it asks succeeds.
	ReasonHealthy = "Healthy"
	// ReasonApplied: the server works with this generation.
	ReasonApplied = "Applied"
)

// Reasons that ask a person to act.
const (
	// ReasonHostTaken: another tenant has the host, or has let go of it and may have it back for a while; the message says when it is free.
	// Choose another host, or wait. The platform team sees in the operator's Lease for the host who has it.
	ReasonHostTaken = "HostTaken"
	// ReasonHostMissing: there is no host and the operator has no base domain. Set spec.exposure.host.
	ReasonHostMissing = "HostMissing"
	// ReasonHostNotAllowed: the platform's rules do not let tenants of this namespace have the host; the message says which hosts they allow.
	// Choose one of those, or have the platform team add a rule.
	ReasonHostNotAllowed = "HostNotAllowed"
	// ReasonOutOfBounds: the tenant asks for what its class does not allow; the message names the fields and the bounds. Change the spec, or have
	// the platform team widen the bound.
	ReasonOutOfBounds = "OutOfBounds"
	// ReasonClassMissing: the class that the tenant names does not exist, or no class is the default one any more. Create it, or name another in
	// spec.className.
	ReasonClassMissing = "ClassMissing"
	// ReasonClassInvalid: the class cannot be followed, or contradicts what the tenant asks for; the message says why. Correct the class, or the
	// spec.
	ReasonClassInvalid = "ClassInvalid"
	// ReasonNameConflict: an object that is not the tenant's has the name of one that the tenant needs. Rename or delete it, but not a Secret that
	// holds a token of the tenant: give that the labels of the tenant, as the message says.
	ReasonNameConflict = "NameConflict"
	// ReasonUserDefaultsRefused: some UserDefaults cannot be used as they are; the message names them and says why. Correct them, or put back
	// what they name into spec.catalog. To take away what they give, change or delete them: nobody loses anything by a version that is refused.
	ReasonUserDefaultsRefused = "UserDefaultsRefused"
	// ReasonTooMany: there are more UserDefaults than a tenant's server follows, and these are not among the oldest. Delete some, or make
	// one of several.
	ReasonTooMany = "TooMany"
	// ReasonRefusedByServer: the tenant's server cannot use these defaults, though the operator would take them; the message says why. See
	// condition SchemaInEffect of the tenant, and RolledOut: the server may be of another version.
	ReasonRefusedByServer = "RefusedByServer"
	// ReasonUnknownCompany: a company is not in the tenant's catalog. Correct the name, or add it to spec.catalog.companies of
	// the tenant. The last good version goes on being applied: to take the company away from users, change or delete the UserDefaults.
	ReasonUnknownCompany = "UnknownCompany"
	// ReasonUnknownRole: a role is not in the tenant's catalog. Correct the name, or add it to spec.catalog.roles of the tenant. The last
	// good version goes on being applied: to take the role away from users, change or delete the UserDefaults.
	ReasonUnknownRole = "UnknownRole"
	// ReasonInvalidFilter: spec.filter is no SCIM filter over users. Correct it: the message says where it goes wrong.
	ReasonInvalidFilter = "InvalidFilter"
	// ReasonInvalidAttribute: a path of spec.attributes is not a writable single-valued attribute, or a value does not fit its attribute:
	// locale and preferredLanguage are tags of BCP 47, and timezone is a name of IANA's database. Correct it, or declare the attribute in
	// spec.schema of the tenant.
	ReasonInvalidAttribute = "InvalidAttribute"
	// ReasonSchemaContradictsData: a declared schema contradicts values that are stored, and the server goes on with the
	// definition before it. Take the definition back, or change the values first: the message says which attribute and what
	// would be right.
	ReasonSchemaContradictsData = "SchemaContradictsData"
	// ReasonTenantNotFound: no ProvisioningTenant has the name in spec.tenantRef. Create it, or delete this resource.
	ReasonTenantNotFound = "TenantNotFound"
	// ReasonNotFound: the login authority does not know the Entra tenant. Correct spec.identityProvider.entra.
	ReasonNotFound = "NotFound"
	// ReasonTLSSecretMissing: the Secret in spec.exposure.ingress.tls does not exist or has no certificate. Create it, or where an issuer
	// is to do that, see why it has not.
	ReasonTLSSecretMissing = "TLSSecretMissing"
	// ReasonGatewayMissing: there is no Gateway and the operator has none for all tenants. Set spec.exposure.gateway.parentRefs.
	ReasonGatewayMissing = "GatewayMissing"
	// ReasonGatewayAPIMissing: the cluster does not know HTTPRoutes, or ListenerSets where the spec names one. Install the Gateway API, or choose another
	// spec.exposure.type. The operator notices by itself.
	ReasonGatewayAPIMissing = "GatewayAPIMissing"
	// ReasonRouteRejected: a Gateway does not take the HTTPRoute; the message has its controller's words. Correct
	// spec.exposure, or what the Gateway's listeners allow.
	ReasonRouteRejected = "RouteRejected"
	// ReasonInvalidStorage: the volume claim was refused; the message has the API server's words. Correct spec.storage, or let the quota or
	// the LimitRange that it names allow the claim.
	ReasonInvalidStorage = "InvalidStorage"
	// ReasonExpansionRefused: the volume claim was not let grow, and the tenant goes on with the volume as it is; the message has the API
	// server's words. Set spec.storage.sqlite.size back to the claim's own size, or let its StorageClass allow expansion.
	ReasonExpansionRefused = "ExpansionRefused"
	// ReasonConnectionSecretMissing: the Secret in spec.storage.postgresql does not exist or lacks the key. Servers that run go on, and no other
	// can start. Create it; it is looked for again every half a minute.
	ReasonConnectionSecretMissing = "ConnectionSecretMissing"
	// ReasonMoveFailed: the directory could not be moved to PostgreSQL, and the tenant goes on with SQLite. See the log of the
	// Job that the message names, mend what it says, and delete the Job to try again; or set spec.storage.type back to SQLite.
	ReasonMoveFailed = "MoveFailed"
	// ReasonMoved: the volume holds what the directory was before it moved to PostgreSQL. Set spec.storage.type to PostgreSQL,
	// or remove the annotation that the message names from the volume claim to begin with that old state.
	ReasonMoved = "Moved"
	// ReasonForeignDirectory: the database or the volume holds the directory of another tenant, or of another Entra tenant than
	// spec.identityProvider.entra names now, and nothing of it is read. Set spec.identityProvider.entra.tenantID back, correct the connection
	// URL, restore the right directory, or adopt this one with the annotation that the message names. Where the message says that another
	// ProvisioningTenant of the same name holds it, see which cluster that is in.
	ReasonForeignDirectory = "ForeignDirectory"
	// ReasonDirectoryMissing: the tenant had a directory, and where that should be is none. Restore it, correct the connection URL, or begin
	// with an empty directory with the annotation that the message names.
	ReasonDirectoryMissing = "DirectoryMissing"
	// ReasonDatabaseURLInvalid: the server cannot use the connection URL; the message says why. Correct it in the Secret that
	// spec.storage.postgresql names; the server follows within minutes, without a restart.
	ReasonDatabaseURLInvalid = "DatabaseURLInvalid"
	// ReasonDatabaseRefused: the database does not let the server in, or does not let it do something; the message has the database's
	// words. Correct user, password or database in the connection URL, or grant the role what it needs.
	ReasonDatabaseRefused = "DatabaseRefused"
	// ReasonDatabaseFull: the database's disk has no room, so changes are answered 503 and look-ups as ever. Make room there. Clients try
	// again later.
	ReasonDatabaseFull = "DatabaseFull"
	// ReasonVolumeFull: the directory's volume has no room, so changes are answered 503 and look-ups as ever. Raise spec.storage.sqlite.size
	// where the StorageClass allows that. Clients try again later, and the server needs no restart.
	ReasonVolumeFull = "VolumeFull"
	// ReasonVolumeReadOnly: the directory's volume takes no writes, as after an error of its disk: changes are answered 503 and look-ups as ever.
	// See the volume and its node.
	ReasonVolumeReadOnly = "VolumeReadOnly"
	// ReasonVolumeFailed: the server cannot read or write the directory's volume; the message has the words of SQLite or of the
	// system. See the volume, its node and the server's log.
	ReasonVolumeFailed = "VolumeFailed"
	// ReasonDirectoryInUse: another process has had the directory on the volume open for more than half a minute: a pod of the tenant that has
	// not ended, as on a node that is away, or a command that somebody runs on the folder. See which pods mount volume claim NAME-data, and
	// end the other one; the server goes on within a second then.
	ReasonDirectoryInUse = "DirectoryInUse"
	// ReasonDirectoryDamaged: the file with the directory is damaged, or is none of SQLite's. Keep a copy of it, and restore the volume or
	// an export.
	ReasonDirectoryDamaged = "DirectoryDamaged"
	// ReasonUnsupported: a field has a value that this version of the operator does not know. Upgrade the operator, or
	// choose another value.
	ReasonUnsupported = "Unsupported"
	// ReasonInvalidRequest: an annotation that asks for something makes no sense, so nothing was done about it; the message says why. Correct or
	// remove it. The tenant serves as before.
	ReasonInvalidRequest = "InvalidRequest"
	// ReasonCredentialsRejected: clients send credentials that the tenant's server rejects, and none that may provision. Paste the
	// tenant's current Secret Token into Microsoft Entra ID and restart provisioning there: Entra quarantines a job at once
	// for a credential that is not accepted.
	ReasonCredentialsRejected = "CredentialsRejected"
	// ReasonRequestsFailing: so many requests of the last cycle failed that Microsoft Entra ID may put its job into quarantine, as it does
	// where more than 40 % fail. See in the provisioning log which and why, and in status.activity.lastCycle how many.
	ReasonRequestsFailing = "RequestsFailing"
	// ReasonPodsRefused: the API server refuses the server's pods because of a quota, a LimitRange or a policy; the message has its words. Let
	// the namespace have what the server needs, or correct spec.server.resources. Kubernetes then tries again by itself, after up to a quarter
	// of an hour; kubectl rollout restart of the Deployment has it try at once.
	ReasonPodsRefused = "PodsRefused"
	// ReasonImagePullFailed: the image of the server cannot be pulled; the message names it. Correct serverImage of the chart, which is
	// the operator's --server-image, or let the nodes reach the registry and sign in there.
	ReasonImagePullFailed = "ImagePullFailed"
	// ReasonOutOfMemory: the server was ended because it had all of the memory that it may have. Raise
	// spec.server.resources.limits.memory.
	ReasonOutOfMemory = "OutOfMemory"
	// ReasonServerCrashing: the server ends again and again; the message has its exit code. See the log of the container that ended.
	ReasonServerCrashing = "ServerCrashing"
	// ReasonRejected: the API server refused an object that the tenant needs; the message has its words. Correct the field that
	// it names, or let the platform's policies and quotas allow the object.
	ReasonRejected = "Rejected"
)

// Reasons that say that something outside is not ready yet.
const (
	// ReasonClaimPending: the volume claim is not bound yet; the message has the claim's last event or phase. Check that its
	// StorageClass exists and has room, if it stays so.
	ReasonClaimPending = "ClaimPending"
	// ReasonClaimTerminating: somebody has deleted the volume claim, and the directory goes with it when the server's pod ends. Export the
	// directory while the server runs.
	ReasonClaimTerminating = "ClaimTerminating"
	// ReasonClaimLost: the volume behind the volume claim is gone. Restore the volume under its name; or delete the claim and restore it from
	// a backup.
	ReasonClaimLost = "ClaimLost"
	// ReasonDatabaseUnreachable: the server does not reach the database, which may be away, restarting, or behind a firewall or a name
	// that is wrong, or has a certificate that is not trusted; the message says which. Nothing is lost, and the server goes on by itself. See
	// the database, and spec.storage.postgresql.port, if it stays so.
	ReasonDatabaseUnreachable = "DatabaseUnreachable"
	// ReasonDatabaseConnectionsExhausted: the database, or a pooler before it, has no connection to give, and the server has none. The
	// server waits for one. Let the database take more, or the servers have fewer with pool_max_conns in their connection URLs.
	ReasonDatabaseConnectionsExhausted = "DatabaseConnectionsExhausted"
	// ReasonDatabaseReadOnly: the database that the server reaches takes no writes: it is a standby, or read-only by default. The server
	// looks for one that takes writes. Let the connection URL name all hosts, if it stays so.
	ReasonDatabaseReadOnly = "DatabaseReadOnly"
	// ReasonDatabaseCommitUncertain: the database does not say that a change is final, as while a synchronous standby is away. Clients are
	// answered 503 and try again later. Bring the standby back, or take it out of synchronous_standby_names.
	ReasonDatabaseCommitUncertain = "DatabaseCommitUncertain"
	// ReasonDatabaseFailed: the database answers with an error that is not one of the others; the message has its words. See the log of the
	// database.
	ReasonDatabaseFailed = "DatabaseFailed"
	// ReasonServerUnavailable: the server's Deployment has no available pod, and its pods do not say why. See the pod's events and log,
	// if it stays so.
	ReasonServerUnavailable = "ServerUnavailable"
	// ReasonUnschedulable: no node takes the server's pod; the message has the scheduler's words. Give the cluster room, or correct
	// spec.server: resources, nodeSelector, tolerations, affinity.
	ReasonUnschedulable = "Unschedulable"
	// ReasonPodNotStarting: the server's pod has a node and does not start there: its volume cannot be attached or mounted, it gets no network,
	// or an object that it mounts is missing. See the events of the pod, and the volume.
	ReasonPodNotStarting = "PodNotStarting"
	// ReasonPodEvicted: the node ended the server's pod, as one that runs out of memory or disk does; the message has its words. The server
	// goes on by itself in another pod. See the node, if it stays so.
	ReasonPodEvicted = "PodEvicted"
	// ReasonNodeUnreachable: the node of the server's pod does not answer, and another pod cannot have the volume meanwhile. Bring the node
	// back; or once it is certain that it is off, taint it with node.kubernetes.io/out-of-service=nodeshutdown:NoExecute.
	ReasonNodeUnreachable = "NodeUnreachable"
	// ReasonRolloutStuck: the Deployment made no progress within its deadline. See the pod's events.
	ReasonRolloutStuck = "RolloutStuck"
	// ReasonRolloutPaused: somebody paused the Deployment of the server, so the pods stay as they are, and an upgrade of the operator waits
	// too. Resume it with the command in the message.
	ReasonRolloutPaused = "RolloutPaused"
	// ReasonWaitingForIngressController: no ingress controller has taken the Ingress yet; the message names the class that it has. Check
	// className and the controller of that class. Without className the Ingress gets the class that is the cluster's default, also one that
	// becomes it while the Ingress waits. Where the controller routes the host and writes no address into the status of the Ingress, set
	// spec.exposure.ingress.readiness to Assumed, of the tenant or in its class.
	ReasonWaitingForIngressController = "WaitingForIngressController"
	// ReasonWaitingForGateway: no controller has answered for the HTTPRoute yet. Check that the Gateway exists and its
	// controller runs.
	ReasonWaitingForGateway = "WaitingForGateway"
	// ReasonWaitingForHost: nothing is made for a tenant that has no host: conditions Accepted and Exposed say why it has none. Nothing else
	// needs to be done.
	ReasonWaitingForHost = "WaitingForHost"
	// ReasonWaitingForEndpoints: the server is available, and the cluster does not lead its Service there yet. Nothing needs to be done; if
	// it lasts, see the Service's EndpointSlices and the cluster's controller manager.
	ReasonWaitingForEndpoints = "WaitingForEndpoints"
	// ReasonAuthorityUnreachable: the login authority could not be asked; it is asked again later. Where the operator has no way
	// out on purpose, nothing needs to be done: this never holds back Ready.
	ReasonAuthorityUnreachable = "AuthorityUnreachable"
	// ReasonWaitingForServer: the tenant's server has not reported this generation yet. See the server's log, if it stays so.
	ReasonWaitingForServer = "WaitingForServer"
	// ReasonError: the API server failed; the operator tries again with backoff. See the operator's log, if it stays so.
	ReasonError = "Error"
)
