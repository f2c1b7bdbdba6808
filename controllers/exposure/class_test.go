package exposure

import (
	"errors"
	"testing"
	"time"

	networkingv1beta1 "k8s.io/api/networking/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

var made = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// ingress is one of that name which was made then, of that place and class. It waits for a controller.
func ingress(name, place, class string, change ...func(*Route)) Route {
	found := Route{
		Object: &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.Time{Time: made}}},
		Kind:   KindIngress, place: place, Class: class,
	}
	for _, f := range change {
		f(&found)
	}
	return found
}

func working(r *Route)   { r.works = true }
func published(r *Route) { r.works, r.Published = true, true }
func moved(r *Route)     { r.moved = true }
func annotated(r *Route) {
	r.SetAnnotations(map[string]string{networkingv1beta1.AnnotationIngressClass: "nginx"})
}

func TestTheDefaultClassIsAskedForWhereAnIngressMayHaveAnother(t *testing.T) {
	t.Parallel()
	const recheck = 2 * time.Minute
	now, waits := made.Add(time.Hour), Lookout{due: made.Add(time.Hour + time.Minute)}
	over, told := Lookout{due: now}, Lookout{due: now, Instead: "nginx"}
	for name, test := range map[string]struct {
		routes []Route
		before Lookout
		after  Lookout
		asks   bool
		next   time.Time
		class  string // that is kept meanwhile
	}{
		"there is no Ingress":                    {before: over, after: over},
		"an HTTPRoute":                           {routes: []Route{named(KindHTTPRoute, "x")}, before: over, after: over},
		"one that waits since now":               {routes: []Route{ingress("x", "", "nginx")}, after: Lookout{due: now.Add(recheck)}, next: now.Add(recheck)},
		"one that waits":                         {routes: []Route{ingress("x", "", "nginx")}, before: waits, after: waits, next: waits.due},
		"one that has waited":                    {routes: []Route{ingress("x", "", "nginx")}, before: over, after: over, asks: true},
		"one that has no class":                  {routes: []Route{ingress("x", "", "")}, before: told, after: told, asks: true},
		"one that is taken":                      {routes: []Route{ingress("x", "", "nginx", working)}, before: told},
		"an annotation names the class":          {routes: []Route{ingress("x", "", "", annotated)}, before: over},
		"the spec named a class":                 {routes: []Route{ingress("x", "nginx", "nginx", working)}, asks: true, class: "nginx"},
		"it did, and nobody took that":           {routes: []Route{ingress("x", "nginx", "nginx")}, before: told, after: told, asks: true, class: "nginx"},
		"it named two":                           {routes: []Route{ingress("x", "nginx", "nginx", working), ingress("y", "alb", "alb", published)}, asks: true, class: "alb"},
		"it named two, and neither works":        {routes: []Route{ingress("x", "nginx", "nginx"), ingress("y", "alb", "alb")}, asks: true, class: "nginx"},
		"it named one, and the second waits":     {routes: []Route{ingress("x", "nginx", "nginx", published), ingress("y", "", "alb")}, before: over, after: over, asks: true},
		"it named one, and the second works":     {routes: []Route{ingress("x", "nginx", "nginx", published), ingress("y", "", "alb", working)}, before: over},
		"two have the default, and one is taken": {routes: []Route{ingress("x", "", "nginx"), ingress("y", "", "nginx", working)}, before: over},
		"the same the other way round":           {routes: []Route{ingress("y", "", "nginx", working), ingress("x", "", "nginx")}, before: over},
		"somebody wrote another place":           {routes: []Route{ingress("x", "nginx", "nginx"), ingress("y", "elsewhere", "nginx", moved)}, before: over, after: over},
	} {
		s := State{Tenant: tenantWith(v1alpha1.Exposure{}), Routes: test.routes}
		after, asks, next := s.AsksForClass(test.before, recheck, now)
		if after != test.after || asks != test.asks || !next.Equal(test.next) || s.Class != test.class {
			t.Errorf("%s: it is asked for: %v, or at %v; the class is %q, and remembered is %+v", name, asks, next, s.Class, after)
		}
	}
}

// Some controllers never say that they took an Ingress.
func TestAnIngressThatClientsComeByWaitsForThemInPlaceOfAController(t *testing.T) {
	t.Parallel()
	now, over := made.Add(time.Hour), Lookout{due: made, Instead: "nginx"}
	at := func(moment time.Time) *metav1.Time { return &metav1.Time{Time: moment} }
	seen := func(began, last time.Time) *v1alpha1.ActivityStatus {
		return &v1alpha1.ActivityStatus{LastRequestTime: at(last), LastCycle: &v1alpha1.CycleStatus{StartTime: at(began)}}
	}
	waits, due := ingress("x", "", "nginx"), now.Add(comesAgain-time.Minute)
	for name, test := range map[string]struct {
		routes   []Route
		activity *v1alpha1.ActivityStatus
		next     time.Time // zero where it is asked for now
	}{
		"none":                         {[]Route{waits}, nil, time.Time{}},
		"since it was made":            {[]Route{waits}, seen(made.Add(time.Minute), now.Add(-time.Minute)), due},
		"as it was made":               {[]Route{waits}, seen(made, now.Add(-time.Minute)), time.Time{}},
		"before it was made":           {[]Route{waits}, seen(made.Add(-time.Minute), now.Add(-time.Minute)), time.Time{}},
		"since, and no more":           {[]Route{waits}, seen(made.Add(time.Minute), now.Add(-comesAgain)), time.Time{}},
		"since, a second ago":          {[]Route{waits}, seen(made.Add(time.Minute), now.Add(time.Second-comesAgain)), now.Add(time.Second)},
		"maybe by another that works":  {[]Route{waits, ingress("y", "alb", "alb", working)}, seen(made.Add(time.Minute), now), time.Time{}},
		"no request yet":               {[]Route{waits}, &v1alpha1.ActivityStatus{LastCycle: &v1alpha1.CycleStatus{StartTime: at(now)}}, time.Time{}},
		"no cycle yet":                 {[]Route{waits}, &v1alpha1.ActivityStatus{LastRequestTime: at(now)}, time.Time{}},
		"a cycle, and nobody knows of": {[]Route{waits}, &v1alpha1.ActivityStatus{LastRequestTime: at(now), LastCycle: &v1alpha1.CycleStatus{}}, time.Time{}},
	} {
		s := State{Tenant: tenantWith(v1alpha1.Exposure{}), Routes: test.routes}
		s.Tenant.Status.Activity = test.activity
		want := over
		if !test.next.IsZero() {
			want = Lookout{}
		}
		if after, asks, next := s.AsksForClass(over, time.Minute, now); asks != test.next.IsZero() || !next.Equal(test.next) || after != want {
			t.Errorf("%s: it is asked for: %v, or at %v; remembered is %+v", name, asks, next, after)
		}
	}
}

func TestAnIngressFollowsTheDefaultClassWhereItHasAnother(t *testing.T) {
	t.Parallel()
	nginx, alb := ingress("named-nginx", "nginx", "nginx"), ingress("named-alb", "alb", "alb")
	byDefault, unset := ingress("by-default", "", "nginx"), ingress("unset", "", "")
	for name, test := range map[string]struct {
		routes []Route
		class  string
		found  string
		stays  bool
	}{
		"it has the default class":              {[]Route{byDefault}, "nginx", "", false},
		"it has another":                        {[]Route{byDefault}, "traefik", "by-default", false},
		"it has none":                           {[]Route{unset}, "traefik", "unset", false},
		"there is no default":                   {[]Route{unset}, "", "", false},
		"there is none any more":                {[]Route{byDefault}, "", "", false},
		"what the spec named is the default":    {[]Route{nginx}, "nginx", "named-nginx", true},
		"what it named is another":              {[]Route{nginx}, "traefik", "", false},
		"it named one, and there is no default": {[]Route{nginx}, "", "", false},
		"one of two that it named":              {[]Route{nginx, alb}, "alb", "named-alb", true},
		"one it named, though a second waits":   {[]Route{alb, byDefault}, "alb", "named-alb", true},
		"the second, as the first is another":   {[]Route{alb, byDefault}, "traefik", "by-default", false},
		"neither":                               {[]Route{alb, byDefault}, "nginx", "", false},
		"the first of two that wait":            {[]Route{byDefault, unset}, "traefik", "by-default", false},
	} {
		s := State{Routes: test.routes}
		found, stays := s.FollowClass(test.class)
		got := ""
		if found != nil {
			got = found.GetName()
		}
		if got != test.found || stays != test.stays {
			t.Errorf("%s: got %q, and that it stays: %v", name, got, stays)
		}
	}
}

func TestTheDefaultClassIsAskedForAgainWhileAnIngressWaits(t *testing.T) {
	t.Parallel()
	before, again := Lookout{due: made, Instead: "nginx"}, made.Add(2*time.Minute)
	for name, test := range map[string]struct {
		routes []Route
		stayed bool // the first
		next   time.Time
	}{
		"it waits":                              {[]Route{ingress("x", "", "nginx")}, false, again},
		"it is of another class":                {[]Route{ingress("x", "nginx", "nginx")}, false, time.Time{}},
		"it is of the default class now":        {[]Route{ingress("x", "nginx", "nginx")}, true, time.Time{}},
		"the same, and there is one that waits": {[]Route{ingress("x", "nginx", "nginx"), ingress("y", "", "alb")}, true, again},
	} {
		s := State{Routes: test.routes, Class: "nginx"}
		var stayed *Route
		if test.stayed {
			stayed = &s.Routes[0]
		}
		after, next := s.ClassFollowed(before, stayed, 2*time.Minute, made)
		want := Lookout{before.due, before.Instead}
		if !test.next.IsZero() {
			want.due = test.next
		}
		if after != want || !next.Equal(test.next) || s.Class != "" || test.stayed && s.Routes[0].place != "" {
			t.Errorf("%s: it is asked for at %v; the class is %q at %q, and remembered is %+v", name, next, s.Class, s.Routes[0].place, after)
		}
	}
}

func TestTheClassOfAnIngressIsThatOfTheSpecBeforeTheOperators(t *testing.T) {
	t.Parallel()
	named, unnamed := v1alpha1.Exposure{Ingress: &v1alpha1.IngressExposure{ClassName: "nginx"}}, v1alpha1.Exposure{Ingress: &v1alpha1.IngressExposure{}}
	for name, test := range map[string]struct {
		exposure        v1alpha1.Exposure
		otherwise, kept string
		want            string
	}{
		"none":                        {v1alpha1.Exposure{}, "", "", ""},
		"the spec's":                  {named, "alb", "traefik", "nginx"},
		"the operator's":              {unnamed, "alb", "", "alb"},
		"the one that is kept":        {unnamed, "", "traefik", "traefik"},
		"the operator's, and no more": {v1alpha1.Exposure{}, "alb", "traefik", "alb"},
	} {
		s := State{Tenant: tenantWith(test.exposure), Class: test.kept}
		if got := s.IngressClass(test.otherwise); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

func TestThatTheDefaultClassIsNotKnownIsToldWithoutWhatChangesFromTryToTry(t *testing.T) {
	t.Parallel()
	got := ClassUnknown(errors.New("dial tcp 10.0.0.1:443"))
	const want = "The Ingress keeps the class that it has until it is known whether that is the default. The API server failed (no usable answer); " +
		"the operator tries again. Its log has the details."
	if got.Message != want || got.Condition != v1alpha1.ConditionExposureInEffect || got.Reason != v1alpha1.ReasonError || got.After != recheckFailed {
		t.Errorf("got %+v", *got)
	}
}
