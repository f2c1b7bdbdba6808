package directory

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	apitypes "k8s.io/apimachinery/pkg/types"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/scimserver/schema"
	"github.com/tenantry/tenantry/scimserver/store"
)

// goodDefaults are the last good versions of a tenant's UserDefaults, as the store has them under store.MetaDefaults: for all replicas, the
// next start, and whoever restores the directory.
type goodDefaults struct {
	Tenant object `json:"tenant"`
	// Versions by the names of the UserDefaults. There are no others than those that the tenant has.
	Versions map[string]version `json:"versions"`

	text string // as it is stored
}

// object names an object of Kubernetes.
type object struct {
	Namespace string       `json:"namespace,omitempty"`
	Name      string       `json:"name"`
	UID       apitypes.UID `json:"uid,omitempty"`
}

// version is the last good one of one UserDefaults.
type version struct {
	UID        apitypes.UID `json:"uid,omitempty"`
	Generation int64        `json:"generation,omitempty"`
	// Spec is nil where none was good yet.
	Spec *v1alpha1.UserDefaultsSpec `json:"spec,omitempty"`
	// Replaced says that the tenant had none of the name, or another resource, before this one, and that this one was never good: nobody keeps
	// what another gave.
	Replaced bool `json:"replaced,omitempty"`
}

// FollowDefaults puts the tenant's UserDefaults in force, those before end. A version that cannot be applied is refused, and Status and
// RefusedDefaults tell why: the last good version of the same resource goes on. Where there is none, users that are there keep what they
// have. Users that arrive and match it wait: they get its values once a version is good, and nothing of other defaults until then. The
// schemas must be in force before (see SetSchemas). The error is the store's, and then the defaults before stay.
func (d *Directory) FollowDefaults(ctx context.Context, tenant *v1alpha1.ProvisioningTenant, all []v1alpha1.UserDefaults) error {
	users, lasting := d.types.Load().users, d.types.Load().lasting
	followed, problems := make([]*Defaults, len(all)), make([]error, len(all))
	for i := range all {
		followed[i], problems[i] = NewDefaults(&all[i], tenant.Spec.Catalog, users)
	}
	known := d.good.Load()
	good := &goodDefaults{}
	err := d.ChangeKept(ctx, []string{store.MetaDefaults}, func(values []string) error {
		*good = parseGood(values[0]).next(tenant, all, problems, known)
		encoded, err := json.Marshal(good)
		if err != nil {
			return fmt.Errorf("encode them: %w", err)
		}
		if len(all) > 0 || values[0] != "" {
			values[0] = string(encoded)
		}
		good.text = values[0]
		return nil
	})
	if err != nil {
		return fmt.Errorf("remember which defaults are good: %w", err)
	}
	for i := range all {
		if problems[i] != nil {
			followed[i] = lastGood(&all[i], good.Versions[all[i].Name], lasting)
			followed[i].refused = &refusal{generation: all[i].Generation, err: problems[i]}
		}
	}
	slices.SortFunc(followed, func(a, b *Defaults) int {
		return cmp.Or(cmp.Compare(b.priority, a.priority), cmp.Compare(a.Name, b.Name))
	})
	d.good.Store(good)
	d.SetDefaults(followed)
	return nil
}

// GoodDefaultsChanged tells whether another replica, or an import, knows other last good versions than those in force here, while one of
// them is. Then FollowDefaults is to be called again. The error is the store's.
func (d *Directory) GoodDefaultsChanged(ctx context.Context) (bool, error) {
	known := d.good.Load()
	if known == nil || !slices.ContainsFunc(d.rules.Load().ordered, func(d *Defaults) bool { return d.refused != nil }) {
		return false, nil
	}
	kept, err := d.Kept(ctx, store.MetaDefaults)
	return err == nil && kept[0] != known.text, err
}

// RefusedDefaults says why UserDefaults are refused, by their names.
func (d *Directory) RefusedDefaults() map[string]string {
	reasons := map[string]string{}
	for _, defaults := range d.rules.Load().ordered {
		if defaults.refused != nil {
			reasons[defaults.Name] = defaults.refused.err.Error()
		}
	}
	return reasons
}

// parseGood reads what the store has. An unreadable value is none: then no version is known to have been good.
func parseGood(kept string) *goodDefaults {
	good := &goodDefaults{}
	if kept == "" || json.Unmarshal([]byte(kept), good) != nil {
		return &goodDefaults{}
	}
	return good
}

// RecallDefaults returns what may be kept of the last good defaults that an export kept, the text of store.MetaDefaults: those that name
// nothing but what the tenant's catalog has.
func (d *Directory) RecallDefaults(kept string) (string, error) {
	if kept == "" {
		return "", nil
	}
	var good goodDefaults
	if err := json.Unmarshal([]byte(kept), &good); err != nil {
		return "", fmt.Errorf("defaults: %w", err)
	}
	maps.DeleteFunc(good.Versions, func(name string, _ version) bool { return !isDefaultsName(name) })
	for name, v := range good.Versions {
		if v.Spec != nil && d.catalog != nil && len(unlisted(*v.Spec, *d.catalog)) > 0 {
			v.Generation, v.Spec = 0, nil // users of the same resource keep what they have
			good.Versions[name] = v
		}
	}
	encoded, err := json.Marshal(good)
	return string(encoded), err
}

// next returns the last good versions after the tenant's UserDefaults were looked at, with these problems. remembered are those of this
// replica, nil for none: an import may have brought older ones since.
//
// A version is known by the UID of its resource, so that none outlives it: what was deleted is gone, whatever is made under its name.
// Where the tenant itself was made again, as when it was restored, all UIDs are others, and names count. Versions of another tenant are passed over.
func (g *goodDefaults) next(tenant *v1alpha1.ProvisioningTenant, all []v1alpha1.UserDefaults, problems []error, remembered *goodDefaults) goodDefaults {
	next := goodDefaults{
		Tenant:   object{Namespace: tenant.Namespace, Name: tenant.Name, UID: tenant.UID},
		Versions: make(map[string]version, len(all)),
	}
	for i := range all {
		resource := &all[i]
		before, same, replaced := g.of(tenant, resource)
		if own, known, _ := remembered.of(tenant, resource); known && (!same || own.Generation > before.Generation) {
			before, same = own, true
		}
		now := version{UID: resource.UID}
		switch {
		case problems[i] == nil && before.UID == resource.UID && before.Generation > resource.Generation:
			now = before // this replica has not heard of it yet
		case problems[i] == nil:
			now.Generation, now.Spec = resource.Generation, &resource.Spec
		case same:
			now.Generation, now.Spec, now.Replaced = before.Generation, before.Spec, before.Replaced
		default:
			now.Replaced = replaced
		}
		next.Versions[resource.Name] = now
	}
	return next
}

// of returns what is known of a UserDefaults, and whether that is of the same resource, or the resource is newer than what is known of its tenant:
// another of its name was deleted, if there was one.
func (g *goodDefaults) of(tenant *v1alpha1.ProvisioningTenant, resource *v1alpha1.UserDefaults) (known version, same, replaced bool) {
	if g == nil || g.Tenant.Namespace != tenant.Namespace || g.Tenant.Name != tenant.Name {
		return version{}, false, false
	}
	known, there := g.Versions[resource.Name]
	switch {
	case !there:
		return version{}, false, g.Tenant.UID == tenant.UID
	case known.UID == resource.UID || g.Tenant.UID != tenant.UID:
		return known, true, false
	}
	return version{}, false, true
}

// refusal is why a version of a UserDefaults is not applied.
type refusal struct {
	generation int64
	err        error
}

// held are defaults of which no version can be applied.
type held struct {
	// blind says that nobody can tell whom they are for: their filter makes no sense.
	blind bool
	// replaced is version.Replaced.
	replaced bool
}

// concerns tells whether defaults come into question for a user that before, of this name, matched until now, or that is arriving. Nil holds
// nothing back.
func (h *held) concerns(name, before string, arriving bool) bool {
	switch {
	case h == nil:
		return true
	case arriving:
		return !h.blind
	default:
		return before == name && !h.replaced
	}
}

// awaits stands before the name in store.Record.Matched of a user that arrived while the UserDefaults that it matches was held. No name
// begins with it.
const awaits = "?"

func isWaiting(matched string) bool { return strings.HasPrefix(matched, awaits) }

// lastGood returns the defaults that are in force while a version is refused: the last good ones, where they are known. The catalog is not
// asked, for a name that was taken out of it takes nothing away by itself, and attributes that are no longer declared are known.
func lastGood(refused *v1alpha1.UserDefaults, good version, lasting *schema.ResourceType) *Defaults {
	if good.Spec != nil {
		before := &v1alpha1.UserDefaults{Spec: *good.Spec}
		before.Name, before.Generation = refused.Name, good.Generation
		if compiled, err := compile(before, lasting); err == nil {
			return compiled
		}
		refused = before // a filter over an attribute that is of another type by now
	}
	matches, err := condition(lasting, refused.Spec)
	none := &Defaults{
		Name: refused.Name, priority: refused.Spec.Priority, matches: matches, held: &held{blind: err != nil, replaced: good.Replaced},
	}
	none.digest = digest(none.Name, fmt.Sprintf("held %+v", *none.held), refused.Spec.ConfigurationFilter, refused.Spec.Filter)
	return none
}
