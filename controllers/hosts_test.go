package controllers

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tenantry/tenantry/api/v1alpha1"
	"github.com/tenantry/tenantry/controllers/desired"
	"github.com/tenantry/tenantry/controllers/internal/apply"
	"github.com/tenantry/tenantry/controllers/rollout"
)

func asking(second int, namespace, name string) claimant {
	return claimant{
		holder:  holder{types.NamespacedName{Namespace: namespace, Name: name}, types.UID(namespace + name)},
		created: time.Unix(int64(second), 0),
	}
}

func (c claimant) withRoute() claimant {
	c.routed = true
	return c
}

func TestWhoHoldsAHostKeepsItAndOfNewClaimsTheOldestWins(t *testing.T) {
	me, older, younger := asking(5, "a", "me"), asking(1, "b", "older"), asking(9, "b", "younger")
	neighbour, oldNeighbour := asking(9, "a", "neighbour"), asking(1, "a", "older")
	now := time.Unix(1000, 0)
	held := func(by claimant) hostRecord { return hostRecord{host: "h", holder: by.holder} }
	reserved := func(by claimant, after time.Duration) hostRecord {
		return hostRecord{host: "h", holder: by.holder, until: now.Add(after)}
	}
	restored := func(record hostRecord) hostRecord {
		record.byOthers = true
		return record
	}
	for name, test := range map[string]struct {
		record hostRecord
		gone   bool
		me     claimant
		rivals []claimant
		want   decision
	}{
		"it is mine":                          {record: held(me), rivals: []claimant{older}, want: decision{verdict: hostKept}},
		"it is mine, and another has a route": {record: held(me), rivals: []claimant{older.withRoute()}, want: decision{verdict: hostKept}},
		"a younger tenant holds it":           {record: held(younger), rivals: []claimant{younger}, want: decision{verdict: hostAnothers, by: younger.holder}},
		"a neighbour holds it":                {record: held(neighbour), rivals: []claimant{neighbour}, want: decision{verdict: hostAnothers, by: neighbour.holder}},
		"I have a route, and another holds it": {
			record: held(younger), me: me.withRoute(), rivals: []claimant{younger}, want: decision{verdict: hostAnothers, by: younger.holder},
		},
		"I had let go, and want it again":      {record: reserved(me, time.Hour), rivals: []claimant{older}, want: decision{verdict: hostFree}},
		"it is reserved for another namespace": {record: reserved(younger, time.Hour), want: decision{verdict: hostAnothers, by: younger.holder, until: now.Add(time.Hour), reserved: true}},
		"its holder of another namespace is gone": {
			record: held(younger), gone: true, me: me.withRoute(), want: decision{verdict: hostAnothers, by: younger.holder, reserved: true},
		},
		"it is reserved for my namespace":        {record: reserved(neighbour, time.Hour), rivals: []claimant{older, younger}, want: decision{verdict: hostFree}},
		"its holder of my namespace is gone":     {record: held(neighbour), gone: true, rivals: []claimant{older}, want: decision{verdict: hostFree}},
		"an older neighbour wants what is ours":  {record: reserved(neighbour, time.Hour), rivals: []claimant{oldNeighbour}, want: decision{verdict: hostAnothers, by: oldNeighbour.holder, claimed: true}},
		"a younger neighbour wants what is ours": {record: reserved(oldNeighbour, time.Hour), rivals: []claimant{neighbour}, want: decision{verdict: hostFree}},
		"the reservation ends this moment":       {record: reserved(younger, 0), want: decision{verdict: hostFree}},
		"the reservation is over, an older asks": {record: reserved(younger, -time.Hour), rivals: []claimant{older}, want: decision{verdict: hostAnothers, by: older.holder, claimed: true}},
		"nobody else asks":                       {want: decision{verdict: hostFree}},
		"a younger one asks":                     {rivals: []claimant{younger}, want: decision{verdict: hostFree}},
		"the oldest of several asks":             {rivals: []claimant{younger, older}, want: decision{verdict: hostAnothers, by: older.holder, claimed: true}},
		"of one second the namespace decides":    {rivals: []claimant{asking(5, "b", "a")}, want: decision{verdict: hostFree}},
		"of one namespace the name decides":      {rivals: []claimant{asking(5, "a", "a")}, want: decision{verdict: hostAnothers, by: asking(5, "a", "a").holder, claimed: true}},
		// The Lease was deleted or spoiled.
		"I publish it, and an older one waits":  {me: me.withRoute(), rivals: []claimant{older}, want: decision{verdict: hostFree}},
		"a younger one publishes it":            {rivals: []claimant{younger.withRoute()}, want: decision{verdict: hostAnothers, by: younger.holder, claimed: true}},
		"the older of two says it publishes it": {me: me.withRoute(), rivals: []claimant{older.withRoute()}, want: decision{verdict: hostAnothers, by: older.holder, contested: true}},
		"the younger of two says so":            {me: me.withRoute(), rivals: []claimant{younger.withRoute()}, want: decision{verdict: hostAnothers, by: younger.holder, contested: true}},
		// A route alone, which people can make, counts for nothing against what the operator wrote.
		"I have a route for what is reserved": {
			record: reserved(younger, time.Hour), me: me.withRoute(), rivals: []claimant{younger},
			want: decision{verdict: hostAnothers, by: younger.holder, until: now.Add(time.Hour), reserved: true},
		},
		"I had let go, and another has a route":         {record: reserved(me, time.Hour), rivals: []claimant{older.withRoute()}, want: decision{verdict: hostFree}},
		"it was our neighbour's, and a stranger has it": {record: held(neighbour), gone: true, rivals: []claimant{older.withRoute()}, want: decision{verdict: hostFree}},
		// The Lease was restored.
		"I publish what a tenant held that is gone": {record: restored(held(younger)), gone: true, me: me.withRoute(), want: decision{verdict: hostFree}},
		"I publish what is reserved for others": {
			record: restored(reserved(younger, time.Hour)), me: me.withRoute(), rivals: []claimant{older}, want: decision{verdict: hostFree},
		},
		"another publishes what a tenant of ours held": {
			record: restored(held(neighbour)), gone: true, rivals: []claimant{younger.withRoute()}, want: decision{verdict: hostAnothers, by: younger.holder, claimed: true},
		},
		"another publishes what is reserved for us": {
			record: restored(reserved(neighbour, time.Hour)), rivals: []claimant{younger.withRoute()}, want: decision{verdict: hostAnothers, by: younger.holder, claimed: true},
		},
		"another publishes what I had let go": {
			record: restored(reserved(me, time.Hour)), rivals: []claimant{younger.withRoute()}, want: decision{verdict: hostAnothers, by: younger.holder, claimed: true},
		},
		"two publish what is reserved": {
			record: restored(reserved(neighbour, time.Hour)), me: me.withRoute(), rivals: []claimant{younger.withRoute()},
			want: decision{verdict: hostAnothers, by: younger.holder, contested: true},
		},
		"nobody publishes what is reserved": {
			record: restored(reserved(younger, time.Hour)), rivals: []claimant{younger},
			want: decision{verdict: hostAnothers, by: younger.holder, until: now.Add(time.Hour), reserved: true},
		},
		"the platform team hands it over": {
			record: restored(held(younger)), me: me.withRoute(), rivals: []claimant{younger}, want: decision{verdict: hostAnothers, by: younger.holder},
		},
		"and I get it": {record: restored(held(me)), rivals: []claimant{older.withRoute()}, want: decision{verdict: hostKept}},
	} {
		t.Run(name, func(t *testing.T) {
			if test.me.holder == (holder{}) {
				test.me = me
			}
			if got := judge(test.me, test.record, test.gone, test.rivals, now); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestALeaseSaysWhoseAHostIsAndUntilWhen(t *testing.T) {
	by, now := asking(1, "customers", "contoso").holder, time.Unix(1000, 0)
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: leaseName("a.test")}}
	hold(lease, "a.test", by, now)
	if got, want := readLease(lease), (hostRecord{host: "a.test", holder: by, since: now}); got != want || !got.held() {
		t.Errorf("got %+v, want %+v", got, want)
	}
	reserve(lease, time.Hour, now)
	if got, want := readLease(lease), (hostRecord{host: "a.test", holder: by, since: now, until: now.Add(time.Hour)}); got != want || got.held() {
		t.Errorf("got %+v, want %+v", got, want)
	}
	hold(lease, "a.test", by, now)
	if !readLease(lease).held() {
		t.Error("a host that was taken again is still reserved")
	}
	// Edited by hand.
	lease.Annotations = nil
	if got := readLease(lease).host; got != "a.test" {
		t.Errorf("without its annotation the Lease is of host %q", got)
	}
	for _, identity := range []string{"", "x", "customers/contoso", "customers/contoso/", "/contoso/uid", "a/b/c/d"} {
		lease.Spec.HolderIdentity = &identity
		if got := readLease(lease); got.holder != (holder{}) || got.held() {
			t.Errorf("%q is taken for %+v", identity, got.holder)
		}
	}
	if readLease(nil).held() {
		t.Error("no Lease says that a host is held")
	}
}

func TestOfALeaseTheOperatorKnowsWhetherAnotherWroteIt(t *testing.T) {
	made := time.Unix(100000, 0)
	entry := func(manager, fields string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate, FieldsV1: metav1.NewFieldsV1(fields)}
	}
	own := entry(apply.FieldManager, `{"f:spec":{"f:acquireTime":{}}}`)
	for name, test := range map[string]struct {
		fields  []metav1.ManagedFieldsEntry
		created time.Time
		want    bool
	}{
		"as the operator wrote it":             {[]metav1.ManagedFieldsEntry{own}, made, false},
		"with a label of another":              {[]metav1.ManagedFieldsEntry{own, entry("kubectl-label", `{"f:metadata":{"f:labels":{"f:x":{}}}}`)}, made, false},
		"with a holder of another":             {[]metav1.ManagedFieldsEntry{own, entry("kubectl-patch", `{"f:spec":{"f:holderIdentity":{}}}`)}, made, true},
		"created by another":                   {[]metav1.ManagedFieldsEntry{entry("velero-server", `{"f:metadata":{},"f:spec":{"f:holderIdentity":{}}}`)}, made, true},
		"created again, with the fields of it": {[]metav1.ManagedFieldsEntry{own}, made.Add(time.Hour), true},
		"by a clock that is behind":            {[]metav1.ManagedFieldsEntry{own}, made.Add(10 * time.Second), false},
	} {
		lease := &coordinationv1.Lease{}
		hold(lease, "a.test", asking(1, "customers", "contoso").holder, made)
		lease.ManagedFields, lease.CreationTimestamp = test.fields, metav1.Time{Time: test.created}
		if got := readLease(lease).byOthers; got != test.want {
			t.Errorf("%s: another wrote it: %v", name, got)
		}
	}
}

func TestEachHostHasALeaseOfItsOwn(t *testing.T) {
	long := strings.Repeat(strings.Repeat("a", 62)+".", 4)
	seen := map[string]string{"operator.provisioning.tenantry.dev": "the election of a leader"}
	for _, host := range []string{"a.test", "host.a.test", "operator.provisioning.tenantry.dev", long + "a", long + "b", "host-" + strings.Repeat("0", 58)} {
		name := leaseName(host)
		if wrong := validation.IsDNS1123Subdomain(name); len(wrong) > 0 || seen[name] != "" {
			t.Errorf("host %s has Lease %s, like %q: %v", host, name, seen[name], wrong)
		}
		seen[name] = host
	}
}

func TestRulesSayWhichHostsANamespaceMayClaim(t *testing.T) {
	var rules []HostRule
	for _, text := range []string{
		`{"namespaceSelector":{"matchLabels":{"team":"a"}},"hosts":["*.a.example.com","a.example.com"]}`,
		`{namespaceSelector: {matchExpressions: [{key: tier, operator: In, values: [gold]}]}, hosts: ["*"]}`,
		`hosts: ["*.{namespace}.scim.example.com", "{name}.SCIM.example.com."]`,
	} {
		rule, err := ParseHostRule(text)
		if err != nil {
			t.Fatal(err)
		}
		rules = append(rules, rule)
	}
	tenant := client.ObjectKey{Namespace: "sales", Name: "contoso"}
	for _, test := range []struct {
		labels labels.Set
		host   string
		want   bool
	}{
		{labels.Set{"team": "a"}, "x.a.example.com", true},
		{labels.Set{"team": "a"}, "x.y.a.example.com", true},
		{labels.Set{"team": "a"}, "a.example.com", true},
		{labels.Set{"team": "a"}, "xa.example.com", false},
		{labels.Set{"team": "a"}, "x.a.example.com.evil.test", false},
		{labels.Set{"team": "b"}, "x.a.example.com", false},
		{nil, "x.a.example.com", false},
		{nil, "x.sales.scim.example.com", true},
		{nil, "sales.scim.example.com", false},
		{nil, "x.other.scim.example.com", false},
		{nil, "contoso.scim.example.com", true},
		{nil, "fabrikam.scim.example.com", false},
		{labels.Set{"tier": "gold"}, "anything.test", true},
		{labels.Set{"tier": "silver"}, "anything.test", false},
	} {
		if got := matchesHost(patternsFor(rules, tenant, test.labels), test.host); got != test.want {
			t.Errorf("with labels %v host %s is allowed: %v, want %v", test.labels, test.host, got, test.want)
		}
	}
	if got := strings.Join(patternsFor(rules, tenant, labels.Set{"team": "a"}), " "); got != "*.a.example.com *.sales.scim.example.com a.example.com contoso.scim.example.com" {
		t.Errorf("the patterns are %s", got)
	}
}

func TestRulesThatMakeNoSenseAreRefused(t *testing.T) {
	for _, text := range []string{
		"", "{}", "hosts: []", "hosts: [https://a.test]", "hosts: ['a.*.test']", "hosts: ['*a.test']", "hosts: ['']", "hosts: ['*.']", "hosts: ['{tenant}.test']",
		"{hosts: [a.test], namespaces: [x]}", "{namespaceSelector: {matchExpressions: [{key: a, operator: Like}]}, hosts: [a.test]}", "a",
	} {
		if rule, err := ParseHostRule(text); err == nil {
			t.Errorf("%q is taken for %+v", text, rule)
		}
	}
}

func TestARouteElsewhereIsAnotherObject(t *testing.T) {
	at := func(name, place string, works bool) route {
		return route{Object: &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: name}}, kind: kindIngress, place: place, works: works}
	}
	defaulted := func(r route, class string) route {
		r.class = class
		return r
	}
	published := func(r route) route {
		r.published = true
		return r
	}
	for name, test := range map[string]struct {
		routes []route
		want   string
	}{
		"the first":                                          {nil, "x"},
		"as before":                                          {[]route{at("x", "traefik", false)}, "x"},
		"as before, under the second name":                   {[]route{at("x-2", "traefik", true)}, "x-2"},
		"another class":                                      {[]route{at("x", "nginx", true)}, "x-2"},
		"and back":                                           {[]route{at("x-2", "nginx", true)}, "x"},
		"before the change came through":                     {[]route{at("x", "nginx", true), at("x-2", "alb", false)}, "x-2"},
		"the same the other way round":                       {[]route{at("x-2", "nginx", true), at("x", "alb", false)}, "x"},
		"back before the change came through":                {[]route{at("x", "traefik", true), at("x-2", "alb", false)}, "x"},
		"the default class by its name":                      {[]route{defaulted(at("x", "", true), "traefik")}, "x"},
		"another default class":                              {[]route{defaulted(at("x", "", true), "nginx")}, "x-2"},
		"both work, and the second was not published yet":    {[]route{published(at("x", "nginx", true)), at("x-2", "alb", true)}, "x-2"},
		"both work, and the first was not published yet":     {[]route{published(at("x-2", "nginx", true)), at("x", "alb", true)}, "x"},
		"both work for one URL":                              {[]route{published(at("x-2", "nginx", true)), published(at("x", "alb", true))}, "x-2"},
		"what was published works no more, and another does": {[]route{published(at("x", "nginx", false)), at("x-2", "alb", true)}, "x"},
		"somebody wrote another place":                       {[]route{{Object: at("x", "", true).Object, kind: kindIngress, place: "elsewhere", moved: true}}, "x"},
		"both are there, as the class became the default":    {[]route{at("x-2", "traefik", false), defaulted(at("x", "traefik", true), "traefik")}, "x"},
		"another kind has the name":                          {[]route{{Object: &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, kind: kindHTTPRoute}}, "x"},
	} {
		if got := routeName(kindIngress, "x", desired.Tenant{IngressClass: "traefik"}, test.routes); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
}

func TestAnHTTPRouteStaysTheSameObjectAsLongAsItServesTheHost(t *testing.T) {
	const on = "edge/public# "
	tenant := func(host string, additional ...string) desired.Tenant {
		return desired.Tenant{Host: host, AdditionalHosts: additional, Gateways: []v1alpha1.GatewayReference{reference("Gateway", "edge", "public")}}
	}
	for name, test := range map[string]struct {
		place string
		now   desired.Tenant
		want  string
	}{
		"the same host":                {on + "a.test", tenant("a.test"), "x"},
		"another host":                 {on + "a.test", tenant("b.test"), "x-2"},
		"a host more":                  {on + "a.test", tenant("a.test", "b.test"), "x"},
		"a host less":                  {on + "a.test,b.test", tenant("a.test"), "x"},
		"the two change places":        {on + "a.test,b.test", tenant("b.test", "a.test"), "x"},
		"the one before goes":          {on + "a.test,b.test", tenant("b.test"), "x"},
		"another, and the one besides": {on + "a.test", tenant("b.test", "a.test"), "x-2"},
		"a part of a host's name":      {on + "a.test,b.testing", tenant("b.test"), "x-2"},
		"another Gateway":              {"edge/private# a.test", tenant("a.test"), "x-2"},
		"one Gateway more":             {on + "edge/private# a.test", tenant("a.test"), "x-2"},
		"another listener":             {"edge/public#tls a.test", tenant("a.test"), "x-2"},
		"a ListenerSet of that name":   {"ListenerSet/edge/public# a.test", tenant("a.test"), "x-2"},
		"a port":                       {"edge/public#:443 a.test", tenant("a.test"), "x-2"},
	} {
		there := route{Object: &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, kind: kindHTTPRoute, place: test.place, works: true}
		if got := routeName(kindHTTPRoute, "x", test.now, []route{there}); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
}

func TestNothingIsRememberedOfATenantThatIsGone(t *testing.T) {
	t.Parallel()
	s := simulate(t, contoso())
	r := s.operator()
	look := func() (remembered int) {
		t.Helper()
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(contoso())}); err != nil {
			t.Fatal(err)
		}
		r.memories.Range(func(any, any) bool { remembered++; return true })
		return remembered
	}
	if look() == 0 {
		t.Fatal("nothing is remembered of a tenant that is there")
	}
	r.Upgrades = rollout.NewLimiter(1, "v2")
	server := func(name string) *appsv1.Deployment {
		return &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: "customers", Name: name},
			Status:     appsv1.DeploymentStatus{UpdatedReplicas: 1, AvailableReplicas: 1},
		}
	}
	if another := server("fabrikam-scim"); !r.Upgrades.TryAcquire(server("contoso-scim"), nil) || r.Upgrades.TryAcquire(another, nil) {
		t.Fatal("one place must serve one")
	}
	s.must(s.WithWatch.Delete(t.Context(), s.tenant()))
	if got := look(); got > 0 {
		t.Errorf("%d things are remembered", got)
	}
	if !r.Upgrades.TryAcquire(server("fabrikam-scim"), nil) {
		t.Error("the tenant still takes a place of an upgrade")
	}
}

func TestATenantThatLostItsLeaseHandsOutTheURLOfTheRouteThatIsKept(t *testing.T) {
	t.Parallel()
	s := simulate(t, contoso(func(p *v1alpha1.ProvisioningTenant) {
		p.Spec.Authentication.Readers = []v1alpha1.Reader{{Name: "payroll"}}
	}))
	s.settle()
	var lease coordinationv1.Lease
	s.must(s.Get(t.Context(), client.ObjectKey{Namespace: "tenantry-system", Name: leaseName("contoso.example.com")}, &lease))
	hold(&lease, "contoso.example.com", holder{client.ObjectKey{Namespace: "elsewhere", Name: "fabrikam"}, "uid-fabrikam"}, s.now.Now())
	reserve(&lease, 24*time.Hour, s.now.Now())
	s.must(s.WithWatch.Update(t.Context(), &lease, client.FieldOwner(apply.FieldManager)))
	s.settle()
	if c := meta.FindStatusCondition(s.tenant().Status.Conditions, v1alpha1.ConditionExposed); c == nil || c.Reason != v1alpha1.ReasonHostTaken {
		t.Fatalf("the tenant did not notice: %+v", c)
	}
	const want = "https://contoso.example.com/scim/v2"
	for of, got := range map[string]string{
		"the status":      s.tenant().Status.TenantURL,
		"the credentials": string(s.secret("contoso-credentials").Data[v1alpha1.CredentialsTenantURLKey]),
		"the reader":      string(s.secret("contoso-reader.payroll").Data[v1alpha1.ReaderURIKey]),
	} {
		if got != want {
			t.Errorf("of %s it is %q, want %q", of, got, want)
		}
	}
}

func TestADurationIsToldWithoutItsZeros(t *testing.T) {
	t.Parallel()
	for duration, want := range map[time.Duration]string{
		24 * time.Hour: "24h", 10 * time.Minute: "10m", 90 * time.Minute: "1h30m", time.Hour + time.Second: "1h0m1s", 30 * time.Second: "30s",
	} {
		if got := inWords(duration); got != want {
			t.Errorf("%s: got %q, want %q", duration, got, want)
		}
	}
}
