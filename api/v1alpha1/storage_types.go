package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Storage says where the directory is kept.
//
// +kubebuilder:validation:XValidation:rule="!has(self.postgresql) || has(self.type) && self.type == 'PostgreSQL'",message="postgresql may be given only when type is PostgreSQL"
type Storage struct {
	// type is SQLite, a database file on a volume of the tenant's own that one replica serves, or PostgreSQL, a schema of the
	// tenant's own in a database that you run, which any number of replicas serve.
	//
	// When SQLite becomes PostgreSQL the directory is moved: while it is copied and compared, clients are answered 503. The
	// volume is kept as it was. Where that fails the tenant goes on with SQLite, and condition StorageReady says what to do. There
	// is no way back once the server works with PostgreSQL. Default: SQLite. More values may come.
	//
	// +optional
	Type StorageType `json:"type,omitempty"`

	// sqlite shapes the volume.
	//
	// +optional
	SQLite SQLiteStorage `json:"sqlite,omitzero"`

	// postgresql says where the database is.
	//
	// +optional
	PostgreSQL *PostgreSQLStorage `json:"postgresql,omitempty"`
}

// StorageType is a database engine.
//
// +kubebuilder:validation:Enum=SQLite;PostgreSQL
type StorageType string

const (
	// StorageSQLite keeps the directory in a SQLite database on a volume.
	StorageSQLite StorageType = "SQLite"
	// StoragePostgreSQL keeps the directory in a schema of a PostgreSQL database.
	StoragePostgreSQL StorageType = "PostgreSQL"
)

// SQLiteStorage is the volume of a SQLite directory.
type SQLiteStorage struct {
	// size of the volume. 500,000 users need about 1.1Gi. It can grow where the storage class allows expansion; where that is refused,
	// condition StorageInEffect says so, and size may go back. A volume cannot shrink: of one that is larger nothing is taken away.
	// Default: 1Gi.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).compareTo(quantity('16Mi')) >= 0",message="must be at least 16Mi"
	Size resource.Quantity `json:"size,omitzero"`

	// storageClassName is the class of the volume; block storage, not a network file system. Default: the cluster's default class.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="must be the name of a StorageClass, of lower-case letters, digits, '-' and '.' such as fast"
	StorageClassName string `json:"storageClassName,omitempty"`
}

// PostgreSQLStorage is the database of a PostgreSQL directory. Many tenants may name the same database: each has a schema of
// its own there, which its server makes when it first starts. status.storage.schema has its name.
type PostgreSQLStorage struct {
	// connectionSecretRef names the Secret with the connection URL.
	//
	// +required
	ConnectionSecretRef ConnectionSecretReference `json:"connectionSecretRef,omitzero"`

	// port on which the database listens: the one in the connection URL, which the operator never reads. The tenant's
	// NetworkPolicy lets the server out to this port.
	//
	// +optional
	// +kubebuilder:default=5432
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`
}

// ConnectionSecretReference names a Secret with a connection URL.
type ConnectionSecretReference struct {
	// name of a Secret in the tenant's namespace. All of it is mounted in the server at /database, so that the URL can name
	// certificates that are in it too, as in sslmode=verify-full&sslrootcert=/database/ca.crt. New values are followed
	// within minutes, without a restart.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="must be the name of a Secret, of lower-case letters, digits, '-' and '.' such as contoso-database"
	Name string `json:"name,omitempty"`

	// key of the Secret whose value is the connection URL, as in postgres://user:password@host:5432/database. The user must
	// be allowed to create schemas in the database, or the tenant's schema must exist and be the user's.
	//
	// +optional
	// +kubebuilder:default=url
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-_a-zA-Z0-9][-._a-zA-Z0-9]*$')",message="must be a key of a Secret: letters, digits, '-', '_' and '.', which it does not begin with"
	Key string `json:"key,omitempty"`
}

// StorageStatus tells where a tenant's directory is.
type StorageStatus struct {
	// type is the engine that the tenant's server works with. It is not that of the spec while the directory has yet to be
	// moved. More values may come.
	//
	// +optional
	Type StorageType `json:"type,omitempty"`

	// schema is the schema of the PostgreSQL database that keeps the directory; empty with SQLite.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Schema string `json:"schema,omitempty"`

	// deletionPolicy is what becomes of the directory if the tenant is deleted now. It follows spec.deletionPolicy as soon as the volume
	// claim does: after a change to Retain wait until it says so here before you delete the tenant.
	// More values may come.
	//
	// +optional
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`

	// adoptedFrom is the tenant, as NAMESPACE/NAME/ENTRA-TENANT-ID, from which the volume claim was adopted with the annotation
	// provisioning.tenantry.dev/adopt-directory. It is there until the server serves the directory that is on it.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=512
	AdoptedFrom string `json:"adoptedFrom,omitempty"`

	// problem is what keeps a server of the tenant from its storage. It is not there while nothing does. Condition StorageReady says the
	// same.
	//
	// +optional
	Problem *StorageProblem `json:"problem,omitempty"`

	// connectionProblem is what keeps a directory from being moved to PostgreSQL, as the Job finds that tries the connection, or servers that go
	// on from new connections, as where the connection URL was emptied. It is not there while nothing does. Condition StorageInEffect says
	// the same.
	//
	// +optional
	ConnectionProblem *StorageProblem `json:"connectionProblem,omitempty"`
}

// StorageProblem is what keeps a server, or the Job that tries a connection, from the storage. The pod that finds it writes it, again every
// half a minute while it lasts, and takes it away when it is over. Without that, because the pod is gone, the operator does, a minute and a
// half after observedTime.
type StorageProblem struct {
	// reason is that of condition StorageReady or StorageInEffect.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Z][A-Za-z0-9]*$`
	Reason string `json:"reason,omitempty"`

	// message is what the storage said. It never has a secret.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`

	// pod is the name of the pod that found it.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Pod string `json:"pod,omitempty"`

	// observedTime is when that pod last found it so.
	//
	// +required
	ObservedTime metav1.Time `json:"observedTime,omitzero"`
}
