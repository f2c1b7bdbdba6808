// Package crd has the CustomResourceDefinitions of this folder, for programs that ask whether a cluster has them as they are.
package crd

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/openapi"
	"sigs.k8s.io/yaml"
)

//go:embed bases/*.yaml
var manifests embed.FS

// Outdated is a definition of which the cluster has an older one. The API server drops what anybody writes into the fields that it lacks, without
// an error.
type Outdated struct {
	// Name of the definition, as in provisioningtenants.provisioning.tenantry.dev.
	Name string
	// File has the right one, relative to the root of the repository.
	File string
	// Lacks are paths such as status.directory.id or status.conditions[].reason, in the order of the alphabet. Of a field with fields of its own that
	// is lacking there is only its own path.
	Lacks []string
}

// Error tells what the cluster lacks and the way out.
func (o Outdated) Error() string {
	return fmt.Sprintf("the CRD %s of the cluster is older than this operator, so the API server drops %s: kubectl apply --server-side -f %s of this version",
		o.Name, strings.Join(o.Lacks, ", "), o.File)
}

// Follower asks an API server for the schemas of the kinds, again only when they changed. Anybody who is authenticated may ask, as long as the
// cluster has its role system:discovery. It is not safe for concurrent use.
type Follower struct {
	API openapi.ClientWithContext

	seen     map[string]string
	outdated []Outdated
}

// NewFollower returns a Follower of the API server that is asked.
func NewFollower(asked discovery.OpenAPIV3SchemaInterface) *Follower {
	return &Follower{API: openapi.ToClientWithContext(asked.OpenAPIV3())}
}

// Outdated returns the definitions that are older in the cluster than here, by name. It returns an error where the API server does not say what it
// has.
func (f *Follower) Outdated(ctx context.Context) ([]Outdated, error) {
	wanted, err := definitions()
	if err != nil {
		return nil, err
	}
	served, err := f.API.PathsWithContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask the API server which schemas it has: %w", err)
	}
	seen := map[string]string{}
	for _, d := range wanted {
		if at, ok := served[d.path()]; ok {
			seen[d.path()] = at.ServerRelativeURL() // it has a hash of the schemas
		}
	}
	if f.seen != nil && maps.Equal(f.seen, seen) {
		return f.outdated, nil
	}
	var outdated []Outdated
	for _, d := range wanted {
		at, ok := served[d.path()]
		if !ok {
			continue // that the kinds are not there at all, the operator's caches tell
		}
		answer, err := at.SchemaWithContext(ctx, "application/json")
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("ask the API server for the schemas of %s: %w", d.path(), err)
		}
		live, err := d.of(answer)
		if err != nil {
			return nil, err
		}
		if live == nil {
			continue
		}
		if lacks := lacking(d.schema, *live, ""); len(lacks) > 0 {
			slices.Sort(lacks)
			outdated = append(outdated, Outdated{Name: d.name, File: path.Join("config/crd", d.file), Lacks: lacks})
		}
	}
	f.seen, f.outdated = seen, outdated
	return outdated, nil
}

// definition is one version of a kind, as this folder has it.
type definition struct {
	name, file string
	gvk        metav1.GroupVersionKind
	schema     fields
}

// path is where OpenAPI v3 has the schemas of its group and version.
func (d definition) path() string { return "apis/" + d.gvk.Group + "/" + d.gvk.Version }

// fields is of a schema what decides which fields are kept.
type fields struct {
	Properties map[string]fields `json:"properties"`
	Items      *fields           `json:"items"`
	// Additional is a schema, or a bool.
	Additional json.RawMessage `json:"additionalProperties"`
	// PreserveUnknown keeps them all.
	PreserveUnknown bool `json:"x-kubernetes-preserve-unknown-fields"`
}

// definitions are those of this folder.
//
//nolint:gochecknoglobals // parsing them takes a while, and they never change
var definitions = sync.OnceValues(readDefinitions)

func readDefinitions() ([]definition, error) {
	files, err := manifests.ReadDir("bases")
	if err != nil {
		return nil, fmt.Errorf("read the CRDs: %w", err)
	}
	var all []definition
	for _, entry := range files {
		file := path.Join("bases", entry.Name())
		content, err := manifests.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the CRDs: %w", err)
		}
		var manifest struct {
			Metadata struct {
				Name string `json:"name"`
			} `json:"metadata"`
			Spec struct {
				Group string `json:"group"`
				Names struct {
					Kind string `json:"kind"`
				} `json:"names"`
				Versions []struct {
					Name   string `json:"name"`
					Schema struct {
						OpenAPI fields `json:"openAPIV3Schema"`
					} `json:"schema"`
				} `json:"versions"`
			} `json:"spec"`
		}
		if err := yaml.Unmarshal(content, &manifest); err != nil {
			return nil, fmt.Errorf("read the CRD %s: %w", file, err)
		}
		for _, version := range manifest.Spec.Versions {
			all = append(all, definition{
				name: manifest.Metadata.Name, file: file, schema: version.Schema.OpenAPI,
				gvk: metav1.GroupVersionKind{Group: manifest.Spec.Group, Version: version.Name, Kind: manifest.Spec.Names.Kind},
			})
		}
	}
	return all, nil
}

// of returns the schema of the kind among those of its group and version, as OpenAPI v3 has them; nil where it is not there.
func (d definition) of(answer []byte) (*fields, error) {
	var document struct {
		Components struct {
			Schemas map[string]struct {
				fields

				Kinds []metav1.GroupVersionKind `json:"x-kubernetes-group-version-kind"`
			} `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(answer, &document); err != nil {
		return nil, fmt.Errorf("read the schemas of %s: %w", schema.GroupVersion{Group: d.gvk.Group, Version: d.gvk.Version}, err)
	}
	for _, found := range document.Components.Schemas {
		if slices.Contains(found.Kinds, d.gvk) {
			return &found.fields, nil
		}
	}
	return nil, nil //nolint:nilnil // see above
}

// lacking are the paths of fields that want has and live drops.
func lacking(want, live fields, at string) []string {
	if live.PreserveUnknown {
		return nil
	}
	var lacks []string
	for name, inner := range want.Properties {
		inside := strings.TrimPrefix(at+"."+name, ".")
		if found, ok := live.Properties[name]; ok {
			lacks = append(lacks, lacking(inner, found, inside)...)
		} else {
			lacks = append(lacks, inside)
		}
	}
	if want.Items != nil && live.Items != nil {
		lacks = append(lacks, lacking(*want.Items, *live.Items, at+"[]")...)
	}
	var wanted, found fields
	if json.Unmarshal(want.Additional, &wanted) == nil && json.Unmarshal(live.Additional, &found) == nil {
		lacks = append(lacks, lacking(wanted, found, at+"[*]")...)
	}
	return lacks
}
