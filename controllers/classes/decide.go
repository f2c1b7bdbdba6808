package classes

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/hosts"
	"github.com/tenantry/tenantry/controllers/internal/apply"
	"github.com/tenantry/tenantry/controllers/internal/problem"
)

// State is what a decision follows from.
type State struct {
	// Tenant as the API server has it, without any default.
	Tenant *v1alpha1.ProvisioningTenant
	// Classes are all that there are, and Namespace the labels of the tenant's.
	Classes   []v1alpha1.ProvisioningTenantClass
	Namespace labels.Set
	// BaseDomain is the operator's, "" for none.
	BaseDomain string
	// Last is what was decided last, nil where a class never had a say, or that is not known any more.
	Last *Values
	// Ran tells whether the tenant has a server.
	Ran bool
}

// Values are what a class has a say in, as it is in effect for a tenant.
type Values struct {
	// Class that decided with the tenant; "" where none has so far.
	Class     string             `json:"class,omitempty"`
	Exposure  v1alpha1.Exposure  `json:"exposure,omitzero"`
	Storage   v1alpha1.Storage   `json:"storage,omitzero"`
	Server    v1alpha1.Server    `json:"server,omitzero"`
	RateLimit v1alpha1.RateLimit `json:"rateLimit,omitzero"`
	Retention v1alpha1.Retention `json:"retention,omitzero"`
	// Pods and NetworkPolicy are what the class alone decides.
	Pods          v1alpha1.ClassServer        `json:"pods,omitzero"`
	NetworkPolicy v1alpha1.ClassNetworkPolicy `json:"networkPolicy,omitzero"`
}

// Decision is what a class makes of a tenant.
type Decision struct {
	// Spec is that of the tenant with all that holds for it.
	Spec v1alpha1.ProvisioningTenantSpec
	// Values are to be remembered; nil where no class has a say.
	Values *Values
	// Revision tells what the class gives its tenants from what it gave them before; "" where no class has a say, or not now.
	Revision string
	// Problem says why the class is not in effect as it is, or why the tenant is not accepted; nil for nothing.
	Problem *problem.Stalled
	// Held tells that nothing of the tenant is made or changed: it is new and not accepted, or it is not known with what it is to go on.
	Held bool

	told *v1alpha1.ClassStatus
}

// Decide decides what the class of a tenant makes of it.
func Decide(s State) Decision {
	class, refused := Choose(s.Tenant, s.Classes, s.Namespace)
	if class == nil && refused == nil {
		if s.Last == nil || s.Last.Class == "" {
			return unclassed(s.Tenant)
		}
		refused = refuse(v1alpha1.ReasonClassMissing,
			"No class is the default any more, and the tenant names none: it goes on with what class %s decided. Name one in spec.className, "+
				"or annotate one with %s: \"true\"; an empty class decides nothing.", s.Last.Class, v1alpha1.DefaultClassAnnotation)
		return s.keep(refused)
	}
	if class == nil {
		return s.keep(refused)
	}
	spec := s.Tenant.Spec.DeepCopy()
	fill(spec, &class.Spec, s.Tenant.Name, s.engine())
	bounded(&spec.Server, class.Spec.Bounds.Server.MaxResources)
	spec.SetDefaults()
	if refused := s.refuse(class, spec); refused != nil {
		return s.keep(refused)
	}
	revision, err := revisionOf(class)
	if err != nil {
		return s.keep(refuse(v1alpha1.ReasonClassInvalid, "Class %s cannot be followed: %s.", class.Name, err))
	}
	values := valuesOf(class.Name, spec)
	values.Pods, values.NetworkPolicy = *class.Spec.Server.DeepCopy(), *class.Spec.NetworkPolicy.DeepCopy()
	return Decision{Spec: *spec, Values: values, Revision: revision}
}

// revisionOf is a hash of what a class gives its tenants. Its bounds give them nothing.
func revisionOf(class *v1alpha1.ProvisioningTenantClass) (string, error) {
	gives := class.Spec
	gives.Bounds, gives.NamespaceSelector = v1alpha1.ClassBounds{}, nil
	hash, err := apply.Hash(gives)
	if err != nil {
		return "", fmt.Errorf("tell it from what it was before: %w", err)
	}
	return hash, nil
}

func unclassed(tenant *v1alpha1.ProvisioningTenant) Decision {
	spec := tenant.Spec.DeepCopy()
	spec.SetDefaults()
	return Decision{Spec: *spec}
}

// engine of the directory that is there, "" for a new one. A database has one only once a server has told its id.
func (s *State) engine() v1alpha1.StorageType {
	status := &s.Tenant.Status
	switch {
	case status.Storage == nil && s.Last != nil:
		return s.Last.Storage.Type
	case status.Storage == nil, status.Storage.Type == v1alpha1.StoragePostgreSQL && (status.Directory == nil || status.Directory.ID == ""):
		return ""
	}
	return status.Storage.Type
}

// refuse returns why a tenant of the class cannot have that spec, nil where it can.
func (s *State) refuse(class *v1alpha1.ProvisioningTenantClass, spec *v1alpha1.ProvisioningTenantSpec) *problem.Stalled {
	c := &check{
		class: class, tenant: types.NamespacedName{Namespace: s.Tenant.Namespace, Name: s.Tenant.Name},
		asks: &s.Tenant.Spec, gets: spec, namespace: s.Namespace, engine: s.engine(), host: s.host(class, spec),
	}
	if err := c.all(); err != nil {
		return refuse(v1alpha1.ReasonClassInvalid, "Class %s cannot be followed: %s.", class.Name, err)
	}
	if len(c.excesses) > 0 {
		const most = 3
		told := strings.Join(c.excesses[:min(most, len(c.excesses))], "; ")
		if more := len(c.excesses) - most; more > 0 {
			told += fmt.Sprintf("; and %d more", more)
		}
		return refuse(v1alpha1.ReasonOutOfBounds, "%s.", told)
	}
	if missing := contradiction(spec, s.engine()); missing != "" {
		return refuse(v1alpha1.ReasonClassInvalid, "With what class %s says, %s.", class.Name, missing)
	}
	return nil
}

// host that a tenant has by itself, or by the operator's base domain; "" for none, and where the class gives it.
func (s *State) host(class *v1alpha1.ProvisioningTenantClass, spec *v1alpha1.ProvisioningTenantSpec) string {
	if s.Tenant.Spec.Exposure.Host == "" && class.Spec.Defaults.Exposure.BaseDomain != "" {
		return ""
	}
	return hosts.Main(&v1alpha1.ProvisioningTenant{ObjectMeta: s.Tenant.ObjectMeta, Spec: *spec}, s.BaseDomain)
}

// contradiction says what a spec lacks that neither the API server could see, who checks the tenant alone, nor the author of the class.
// engine is that of the directory that is there. The API server lets nobody take a tenant that names PostgreSQL back to SQLite, and does not know of
// one that has it by its class.
func contradiction(spec *v1alpha1.ProvisioningTenantSpec, engine v1alpha1.StorageType) string {
	database := spec.Storage.Type == v1alpha1.StoragePostgreSQL
	switch {
	case !database && engine == v1alpha1.StoragePostgreSQL:
		return "spec.storage.type must stay PostgreSQL: the directory is there. To go back to SQLite, export it and import it into a new tenant"
	case database && spec.Storage.PostgreSQL == nil:
		return "spec.storage.type is PostgreSQL and nobody says where the database is: give spec.storage.postgresql"
	case database && spec.DeletionPolicy == v1alpha1.DeletionPolicyDelete:
		return "spec.storage.type is PostgreSQL, where spec.deletionPolicy must be Retain: the operator deletes nothing in your database"
	case !database && (spec.Server.Autoscaling != nil || spec.Server.Replicas != nil && *spec.Server.Replicas > 1):
		return "spec.storage.type is SQLite, whose directory one server has to itself: leave out spec.server.autoscaling, and set spec.server.replicas to 1"
	}
	return ""
}

// keep is how a tenant goes on that is refused: with what was decided last; and one that ran before there was a class, with what it runs with. A new
// one does not begin. Nothing of one is touched of which it is lost what was decided last: its author may ask for anything.
func (s *State) keep(refused *problem.Stalled) Decision {
	d := unclassed(s.Tenant)
	d.Problem = refused
	switch {
	case s.Last != nil:
		s.Last.into(&d.Spec)
		d.Values = s.Last
	case s.Ran && s.Tenant.Status.Class == nil:
		d.Values = valuesOf("", &d.Spec)
	case s.Ran:
		d.Held, d.told = true, s.Tenant.Status.Class
		refused.Message += " What the tenant had by its class is not known any more, so nothing of it is changed."
		return d
	default:
		d.Held, d.told = true, s.Tenant.Status.Class
		refused.Condition = v1alpha1.ConditionAccepted
		refused.Message += " Nothing is made for the tenant before."
		return d
	}
	refused.Message += " The tenant goes on with what it had."
	return d
}

func valuesOf(class string, spec *v1alpha1.ProvisioningTenantSpec) *Values {
	return &Values{
		Class: class, Exposure: spec.Exposure, Storage: spec.Storage, Server: spec.Server, RateLimit: spec.RateLimit, Retention: spec.Retention,
	}
}

// into puts the values into a spec in place of its own.
func (v *Values) into(spec *v1alpha1.ProvisioningTenantSpec) {
	spec.Exposure, spec.Storage, spec.Server, spec.RateLimit, spec.Retention = v.Exposure, v.Storage, v.Server, v.RateLimit, v.Retention
}

// Platform is what the platform alone decides of the tenant's objects; nothing where no class has a say.
func (d *Decision) Platform() (v1alpha1.ClassServer, v1alpha1.ClassNetworkPolicy) {
	if d.Values == nil {
		return v1alpha1.ClassServer{}, v1alpha1.ClassNetworkPolicy{}
	}
	return d.Values.Pods, d.Values.NetworkPolicy
}

// Status is what the tenant is told of it, and what its server follows; nil where no class has a say.
func (d *Decision) Status() *v1alpha1.ClassStatus {
	if d.Values == nil {
		return d.told
	}
	return &v1alpha1.ClassStatus{Name: d.Values.Class, RateLimit: d.Values.RateLimit, Retention: d.Values.Retention}
}
