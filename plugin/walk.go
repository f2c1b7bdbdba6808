package plugin

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/token"
	"github.com/tenantry/tenantry/api/v1alpha1"
)

const (
	userSchema  = "urn:ietf:params:scim:schemas:core:2.0:User"
	groupSchema = "urn:ietf:params:scim:schemas:core:2.0:Group"
	listSchema  = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
)

// walk asks a tenant's server one question after the other, none of which changes anything.
type walk struct {
	// cluster that the tenant was read from; nil where it was not.
	cluster client.Client
	tenant  *v1alpha1.ProvisioningTenant
	// unseen tells that the cluster was not asked for the tenant, of which then only the name is known.
	unseen     bool
	url, token string
	asker      asker
	types      []string // the resource types that the server has, as far as it was asked for them
	// report is told of each step as it ends, where it is not nil.
	report func(Step)
}

// question is one step: ask returns what was found, or the *fault that is wrong.
type question struct {
	name string
	ask  func(context.Context) (string, error)
	// decides tells that there is nothing more to ask where this fails.
	decides bool
	// needs names the step whose failure this one would only repeat, "" where there is none.
	needs string
	// off says why nobody asks this of the tenant, "" where one does.
	off string
}

func (w *walk) questions() []question {
	types, schemas, groupsOff := []string{"User", "Group"}, []string{userSchema, groupSchema}, ""
	if w.tenant.Spec.Provisioning.Groups == v1alpha1.SwitchDisabled {
		groupsOff = "spec.provisioning.groups is " + string(v1alpha1.SwitchDisabled)
	}
	if w.unseen || groupsOff != "" {
		types, schemas = types[:1], schemas[:1]
	}
	return []question{
		{name: "reach", ask: w.reach, decides: true},
		{name: "wrong token", ask: w.wrongToken},
		{name: "Test Connection", ask: w.testConnection, decides: true},
		{name: "ServiceProviderConfig", ask: w.serviceProviderConfig},
		{name: "Schemas", ask: w.lists("Schemas", schemas...)},
		{name: "ResourceTypes", ask: w.lists("ResourceTypes", types...)},
		{name: pageStep, ask: w.oneUser},
		{name: "Groups, no members", ask: w.oneGroup, off: groupsOff},
		{name: scimType, ask: w.searches(noMore, "is taken with POST", takeMediaType)},
		{name: errorStep, ask: w.anError},
		{name: http.MethodPatch, ask: w.reaches(http.MethodPatch), needs: errorStep},
		{name: http.MethodPut, ask: w.reaches(http.MethodPut), needs: errorStep},
		{name: http.MethodDelete, ask: w.reaches(http.MethodDelete), needs: errorStep},
		{name: "a group's members", ask: w.searches(manyMembers, "1,000 of them reach the server", takeValues), needs: scimType},
		{name: "a large body", ask: w.searches(blanks, "of just below 4 MiB reaches the server", takeBody), needs: scimType},
		{name: "a tag with gzip", ask: w.tag, needs: pageStep},
	}
}

func (w *walk) run(ctx context.Context) Check {
	result := Check{Namespace: w.tenant.Namespace, Name: w.tenant.Name, URL: w.asker.base, Passed: true, Steps: []Step{}}
	decided, failed := "", map[string]bool{}
	for _, q := range w.questions() {
		step := Step{Name: q.name, Outcome: StepSkipped, Found: q.off}
		switch {
		case decided != "":
			step.Found = "because " + decided + " failed"
		case failed[q.needs]:
			step.Found = "because " + q.needs + " failed"
		case q.off == "":
			found, err := q.ask(ctx)
			step = w.judge(q.name, found, err)
			failed[q.name] = step.Outcome == StepFailed
			if failed[q.name] && q.decides {
				decided = q.name
			}
		}
		result.Passed = result.Passed && step.Outcome != StepFailed
		result.Steps = append(result.Steps, step)
		if w.report != nil {
			w.report(step)
		}
	}
	return result
}

// judge makes a step of what was found, or of what is wrong.
func (w *walk) judge(name, found string, err error) Step {
	if err == nil {
		return Step{Name: name, Outcome: StepPassed, Found: found}
	}
	if nothing, ok := errors.AsType[notAsked](err); ok {
		return Step{Name: name, Outcome: StepSkipped, Found: string(nothing)}
	}
	wrong := w.fault(err)
	return Step{Name: name, Outcome: StepFailed, Found: wrong.what, Action: wrong.action}
}

// notAsked says why a step finds nothing to look at.
type notAsked string

func (n notAsked) Error() string { return string(n) }

// reach finds out whether anything answers at all.
func (w *walk) reach(ctx context.Context) (string, error) {
	answered, err := w.asker.get(ctx, "", "ServiceProviderConfig", "")
	if err != nil {
		return "", err
	}
	return answered.way, nil
}

// lookUp is what Entra asks to test a connection: for a user that cannot exist.
func (w *walk) lookUp(ctx context.Context) (*answer, error) {
	return w.asker.get(ctx, w.asker.secret, "Users", "filter="+`userName+eq+%22`+uuid.NewString()+`%22`)
}

// wrongToken asks for discovery: a token that is rejected for users counts as the client's that provisions, whom this one must not stand in for.
func (w *walk) wrongToken(ctx context.Context) (string, error) {
	nobodys, err := token.New(rand.Reader)
	if err != nil {
		return "", err
	}
	answered, err := w.asker.get(ctx, nobodys, "ServiceProviderConfig", "")
	switch {
	case err != nil:
		return "", err
	case answered.status == http.StatusUnauthorized:
		return "is refused with 401", nil
	case answered.status == http.StatusOK:
		return "", &fault{"a token that is nobody's is answered 200: whoever finds the URL may be let in",
			"See that the URL leads to this tenant's server, and to nothing that answers in its place."}
	default:
		return "", w.unexpected(answered)
	}
}

func (w *walk) testConnection(ctx context.Context) (string, error) {
	found, err := w.list(w.lookUp(ctx))
	if err != nil {
		return "", err
	}
	if found.TotalResults != 0 || len(found.Resources) != 0 {
		return "", incompatible("a user that does not exist is found")
	}
	// A reader is answered where the client that provisions, for whom this is asked, is held back.
	switch provisioning := w.tenant.Spec.Provisioning; {
	case provisioning.State == v1alpha1.StateSuspended:
		return "", &fault{"a reader is answered, and a client that provisions gets 503", remedy("(spec.provisioning.state)")}
	case provisioning.Users == v1alpha1.SwitchDisabled:
		return "", &fault{"a reader is answered, and a client that provisions gets 503", remedy("(spec.provisioning.users)")}
	}
	return "succeeds: a user that does not exist is not found", nil
}

func (w *walk) serviceProviderConfig(ctx context.Context) (string, error) {
	var config struct{ Patch, Filter struct{ Supported bool } }
	answered, err := w.asker.get(ctx, w.asker.secret, "ServiceProviderConfig", "")
	if err := w.decode(answered, err, &config); err != nil {
		return "", err
	}
	if !config.Patch.Supported || !config.Filter.Supported {
		return "", incompatible("the server says that it has no PATCH or no filter, and Entra uses both")
	}
	return "has PATCH and filters", nil
}

// lists asks for a discovery endpoint, which must have entries of these ids.
func (w *walk) lists(endpoint string, ids ...string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		found, err := w.list(w.asker.get(ctx, w.asker.secret, endpoint, ""))
		if err != nil {
			return "", err
		}
		if endpoint == "ResourceTypes" {
			for _, r := range found.Resources {
				id, _ := r["id"].(string)
				w.types = append(w.types, id)
			}
		}
		for _, id := range ids {
			if !slices.ContainsFunc(found.Resources, func(r resource) bool { return r["id"] == id }) {
				return "", incompatible("there is no " + id)
			}
		}
		return fmt.Sprintf("there are %d", len(found.Resources)), nil
	}
}

func (w *walk) oneUser(ctx context.Context) (string, error) {
	total, _, err := w.one(ctx, "Users", "startIndex=1&count=1")
	return plural(total, "user"), err
}

func (w *walk) oneGroup(ctx context.Context) (string, error) {
	if w.unseen && !slices.Contains(w.types, "Group") {
		return "", notAsked("the server has no groups")
	}
	total, first, err := w.one(ctx, "Groups", "excludedAttributes=members&startIndex=1&count=1")
	if err != nil {
		return "", err
	}
	for attribute := range first {
		if strings.EqualFold(attribute, "members") {
			return "", incompatible("a group has members although they were not asked for")
		}
	}
	return plural(total, "group"), nil
}

// one reads a page of one resource, which is nil where there is none, and how many there are in all.
func (w *walk) one(ctx context.Context, endpoint, query string) (total int, first resource, err error) {
	page, err := w.list(w.asker.get(ctx, w.asker.secret, endpoint, query))
	if err != nil {
		return 0, nil, err
	}
	if want := min(page.TotalResults, 1); len(page.Resources) != want || page.ItemsPerPage != want || page.StartIndex != 1 {
		return 0, nil, incompatible(fmt.Sprintf("a page of one from the first of %d on has %d resources, itemsPerPage %d and startIndex %d",
			page.TotalResults, len(page.Resources), page.ItemsPerPage, page.StartIndex))
	}
	if len(page.Resources) == 0 {
		return 0, nil, nil
	}
	first = page.Resources[0]
	if id, _ := first["id"].(string); id == "" {
		return 0, nil, incompatible("a resource has no id")
	}
	return page.TotalResults, first, nil
}

func plural[T int | int64](n T, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
