package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ProvisioningTenantStatus is what was seen of a tenant. The operator writes all of it but directory, activity and
// storage.problem, which the tenant's SCIM server writes, and storage.connectionProblem, which that and Job NAME-connect write.
type ProvisioningTenantStatus struct {
	// observedGeneration is the last generation of the spec of which everything was applied, or that cannot be reached without a change
	// by a person: then condition Stalled is True. It is -1 until the operator has looked at the tenant for the first time, so that
	// tools which wait for a status, such as Helm and Flux, do wait.
	//
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// tenantURL is what an administrator pastes into Microsoft Entra ID as Tenant URL. It appears when the server and
	// the route to it are ready for the first time.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=512
	TenantURL string `json:"tenantURL,omitempty"`

	// additionalURLs are the URLs at which clients reach the tenant besides tenantURL, by spec.exposure.additionalHosts. Tokens of ServiceAccounts may
	// be for any of them.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=512
	AdditionalURLs []string `json:"additionalURLs,omitempty"`

	// tokenURL is the tenant's OAuth 2.0 token endpoint. It is there beside tenantURL where spec.authentication has oauth or
	// workloadIdentity.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=512
	TokenURL string `json:"tokenURL,omitempty"`

	// credentials tells about the Secret Token, never the token itself.
	//
	// +optional
	Credentials *CredentialsStatus `json:"credentials,omitempty"`

	// userDefaults are the names of the UserDefaults of this tenant that the SCIM server follows, each in its last good version. Of more than
	// 1,000 these are the oldest.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=1000
	// +kubebuilder:validation:items:MaxLength=253
	UserDefaults []string `json:"userDefaults,omitempty"`

	// operatorNamespace is the namespace of the operator that serves the tenant. Another one leaves the tenant alone for as long as the leader there
	// renews its lease.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=63
	OperatorNamespace string `json:"operatorNamespace,omitempty"`

	// class tells of which class the tenant is, and what follows from it for the server. It is there where a class has a say.
	//
	// +optional
	Class *ClassStatus `json:"class,omitempty"`

	// storage tells where the directory is, and what is wrong with that place.
	//
	// +optional
	Storage *StorageStatus `json:"storage,omitempty"`

	// directory names the tenant's directory and counts what it holds.
	//
	// +optional
	Directory *DirectoryStatus `json:"directory,omitempty"`

	// activity tells what clients ask.
	//
	// +optional
	Activity *ActivityStatus `json:"activity,omitempty"`

	// conditions: Ready sums up; Accepted, EntraTenantVerified, CredentialsReady, StorageReady, ServerAvailable and
	// Exposed tell why. RolledOut, ClassInEffect, ExposureInEffect, StorageInEffect, SchemaInEffect, UserDefaultsInEffect and RequestsObeyed tell of what
	// is not as the specs and annotations say though clients are served.
	// ProvisioningHealthy tells how the client fares. Reconciling and Stalled follow kstatus.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// CredentialsStatus tells about the tenant's Secret Token, and by fingerprints about all credentials.
type CredentialsStatus struct {
	// secretName is the Secret that holds the credentials for a person to copy. It may be deleted after that: all stay
	// valid. A credential that is wanted later makes it again, with that credential only.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=253
	SecretName string `json:"secretName,omitempty"`

	// fingerprint is the beginning of the token's SHA-256 in hexadecimal, to tell tokens apart. It and issuedAt are those of token in issued.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Fingerprint string `json:"fingerprint,omitempty"`

	// issuedAt is when the token was generated, or when somebody put it back.
	//
	// +optional
	IssuedAt *metav1.Time `json:"issuedAt,omitempty"`

	// expiresAt is when the token ends if it is rotated as spec.authentication.secretToken says: rotationInterval and overlap
	// after issuedAt. Not there where it is never rotated by itself.
	//
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`

	// previousExpiresAt is until when the token before is valid too. Until then the new one must have been pasted into
	// Microsoft Entra ID. Not there while one token only is valid.
	//
	// +optional
	PreviousExpiresAt *metav1.Time `json:"previousExpiresAt,omitempty"`

	// issued are the credentials that the server accepts, the Secret Token among them. A credential that is not here was not issued yet.
	//
	// +optional
	// +listType=map
	// +listMapKey=key
	// +kubebuilder:validation:MaxItems=64
	Issued []IssuedCredential `json:"issued,omitempty"`

	// ended are the last 64 credentials that annotations asked to end, the newest last. None of them is accepted again, whoever puts it
	// back.
	//
	// +optional
	// +listType=map
	// +listMapKey=fingerprint
	// +kubebuilder:validation:MaxItems=64
	Ended []EndedCredential `json:"ended,omitempty"`
}

// IssuedCredential is a credential that the tenant's server accepts.
type IssuedCredential struct {
	// key is token, clientSecret, or reader. and the name of a reader.
	//
	// +kubebuilder:validation:MaxLength=128
	Key string `json:"key"`

	// fingerprint is the beginning of the credential's SHA-256 in hexadecimal.
	//
	// +kubebuilder:validation:MaxLength=64
	Fingerprint string `json:"fingerprint"`

	// issuedAt is when the credential was generated, or when somebody put it back.
	//
	// +optional
	IssuedAt *metav1.Time `json:"issuedAt,omitempty"`
}

// EndedCredential is a credential that somebody asked to end.
type EndedCredential struct {
	// fingerprint is the beginning of the credential's SHA-256 in hexadecimal.
	//
	// +kubebuilder:validation:MaxLength=64
	Fingerprint string `json:"fingerprint"`

	// endedAt is when it was ended.
	EndedAt metav1.Time `json:"endedAt"`
}

// DirectoryStatus names the directory and counts resources.
type DirectoryStatus struct {
	// id of the directory, made with it. Backups have the same. A server that finds another directory than this, or none, does not serve
	// it: see reasons ForeignDirectory and DirectoryMissing of condition StorageReady.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=64
	ID string `json:"id,omitempty"`

	// observedTime is when the server last wrote this part of the status or status.activity. It counts every few seconds and writes what
	// has changed, so a change is here within a minute, and this time is that of the last one.
	//
	// +optional
	ObservedTime *metav1.Time `json:"observedTime,omitempty"`

	// users that exist, active or not.
	//
	// +optional
	Users int64 `json:"users"`

	// activeUsers are those whose active attribute is true.
	//
	// +optional
	ActiveUsers int64 `json:"activeUsers"`

	// groups that exist.
	//
	// +optional
	Groups int64 `json:"groups"`

	// memberships, counted once for each group and member.
	//
	// +optional
	Memberships int64 `json:"memberships"`

	// ambiguousNames is how many users and groups have the userName, or the displayName, of another of their kind although that is
	// refused today: names that an earlier version took for different. All are served; a new one of that name is refused. The
	// server's log names them by id. Rename or delete all but one of each name.
	//
	// +optional
	AmbiguousNames int64 `json:"ambiguousNames"`

	// defaultsPending is how many users are still to be held against the UserDefaults, after these have changed. It is near the
	// truth where users come and go meanwhile, and 0 where there is nothing to do.
	//
	// +optional
	DefaultsPending int64 `json:"defaultsPending"`

	// defaults counts users for each UserDefaults of the tenant.
	//
	// +optional
	// +kubebuilder:validation:MaxItems=1000
	// +listType=map
	// +listMapKey=name
	Defaults []DefaultsCount `json:"defaults,omitempty"`

	// refusedSchemas are the extension schemas whose declaration contradicts stored values. The server goes on with the
	// definitions that it had.
	//
	// +optional
	// +listType=map
	// +listMapKey=id
	// +kubebuilder:validation:MaxItems=10
	RefusedSchemas []RefusedSchema `json:"refusedSchemas,omitempty"`
}

// DefaultsCount counts the users of one UserDefaults resource.
type DefaultsCount struct {
	// name of the UserDefaults.
	//
	// +required
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// generation of the UserDefaults that every user was last held against, 0 for none yet.
	//
	// +optional
	Generation int64 `json:"generation"`

	// pendingGeneration is the one that users are being held against now; left out where that is through.
	//
	// +optional
	PendingGeneration int64 `json:"pendingGeneration,omitempty"`

	// matchedUsers are the users for whom it is the first that matches.
	//
	// +optional
	MatchedUsers int64 `json:"matchedUsers"`

	// appliedUsers are the users who carry its values.
	//
	// +optional
	AppliedUsers int64 `json:"appliedUsers"`

	// refusedGeneration is the one that the server refuses; left out where it refuses none. The version of generation goes on being applied
	// then. Where that is 0, matchedUsers are those who wait for a version that is good.
	//
	// +optional
	RefusedGeneration int64 `json:"refusedGeneration,omitempty"`

	// refused says why.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Refused string `json:"refused,omitempty"`
}

// ActivityStatus tells what clients ask. It changes at most once a minute.
type ActivityStatus struct {
	// lastRequestTime is when a client last sent an authenticated request, rounded down to a minute.
	//
	// +optional
	LastRequestTime *metav1.Time `json:"lastRequestTime,omitempty"`

	// credentialsRejectedSince is since when credentials are rejected that could be the client's, and none that may provision is let
	// in: a Secret Token or client secret, also of another tenant, or what the Entra tenant signed for an application. It appears at
	// once where none ever was let in, and else 45 minutes after the last one: by then Microsoft Entra ID would have come again.
	// It goes with the next that is let in.
	//
	// +optional
	CredentialsRejectedSince *metav1.Time `json:"credentialsRejectedSince,omitempty"`

	// lastCycle is what the provisioning client asked in its last cycle, or asks in the one that goes on.
	//
	// +optional
	LastCycle *CycleStatus `json:"lastCycle,omitempty"`
}

// CycleStatus counts what a client that may provision asked for without a pause: requests on users and groups, of all replicas. A
// bulk request counts as one, and its operations are not told apart.
type CycleStatus struct {
	// startTime is when the first request came.
	//
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`

	// endTime is when the last request came. It is there once no other has followed for five minutes, which ends a cycle.
	//
	// +optional
	EndTime *metav1.Time `json:"endTime,omitempty"`

	// requests, look-ups among them.
	//
	// +optional
	Requests int64 `json:"requests"`

	// creates that succeeded.
	//
	// +optional
	Creates int64 `json:"creates"`

	// updates that succeeded, also those that changed nothing.
	//
	// +optional
	Updates int64 `json:"updates"`

	// deletes that succeeded.
	//
	// +optional
	Deletes int64 `json:"deletes"`

	// failures are requests that were answered with a status of 400 or more.
	//
	// +optional
	Failures int64 `json:"failures"`
}
