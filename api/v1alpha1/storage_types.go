package v1alpha1

import "k8s.io/apimachinery/pkg/api/resource"

// Storage says where the directory is kept.
type Storage struct {
	// type is SQLite: a database file on a volume of the tenant's own, served by one replica.
	//
	// +optional
	// +kubebuilder:default=SQLite
	Type StorageType `json:"type,omitempty"`

	// sqlite shapes the volume.
	//
	// +optional
	// +kubebuilder:default={}
	SQLite SQLiteStorage `json:"sqlite,omitzero"`
}

// StorageType is a database engine.
//
// +kubebuilder:validation:Enum=SQLite
type StorageType string

// StorageSQLite keeps the directory in a SQLite database on a volume.
const StorageSQLite StorageType = "SQLite"

// SQLiteStorage is the volume of a SQLite directory.
//
// +kubebuilder:validation:XValidation:rule="!has(self.size) || !has(oldSelf.size) || quantity(string(self.size)).compareTo(quantity(string(oldSelf.size))) >= 0",message="size must not shrink: volumes can only grow"
// +kubebuilder:validation:XValidation:rule="has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)",message="storageClassName is immutable: a volume cannot change its class"
type SQLiteStorage struct {
	// size of the volume. 500,000 users need about 1.1Gi. It can grow where the storage class allows expansion.
	//
	// +optional
	// +kubebuilder:default="1Gi"
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).compareTo(quantity('16Mi')) >= 0",message="must be at least 16Mi"
	Size resource.Quantity `json:"size,omitzero"`

	// storageClassName is the class of the volume; block storage, not a network file system. Default: the cluster's default class.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	StorageClassName string `json:"storageClassName,omitempty"`
}
