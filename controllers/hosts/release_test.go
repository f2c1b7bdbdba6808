package hosts

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/tenantry/tenantry/api/v1alpha1"
)

func TestAHostIsLetGoWhenItsHolderDoesNotUseItOrIsGone(t *testing.T) {
	t.Parallel()
	me, now := asking(1, "a", "me").Holder, time.Unix(1000, 0)
	before, none := Holder{me.NamespacedName, "before"}, Holder{NamespacedName: me.NamespacedName}
	for name, test := range map[string]struct {
		record     Record
		present    Holder
		uses, gone bool
		at         time.Time
		want       Fate // and Deleted in place of Reserved where nothing is reserved
	}{
		"it is used":                     {Record{Holder: me}, me, true, false, now, Stays},
		"it is not used":                 {Record{Holder: me}, me, false, false, now, Reserved},
		"one of the name before had it":  {Record{Holder: before}, me, true, true, now, Reserved},
		"the cache is behind":            {Record{Holder: before}, me, true, false, now, Stays},
		"the tenant is gone":             {Record{Holder: me}, none, false, true, now, Reserved},
		"the tenant is not known to be":  {Record{Holder: me}, none, false, false, now, Stays},
		"it is reserved":                 {Record{Holder: me, Until: now.Add(time.Second)}, me, false, false, now, Stays},
		"it is reserved, and used":       {Record{Holder: me, Until: now.Add(time.Second)}, me, true, false, now, Stays},
		"the time is over":               {Record{Holder: me, Until: now}, me, false, false, now, Deleted},
		"the time is over of one before": {Record{Holder: before, Until: now.Add(-time.Hour)}, me, true, false, now, Deleted},
	} {
		if got := test.record.Fate(test.present, test.uses, test.gone, time.Hour, test.at); got != test.want {
			t.Errorf("%s: got %d, want %d", name, got, test.want)
		}
		if test.want == Reserved {
			test.want = Deleted
		}
		if got := test.record.Fate(test.present, test.uses, test.gone, 0, test.at); got != test.want {
			t.Errorf("%s, and nothing is reserved: got %d, want %d", name, got, test.want)
		}
	}
}

func TestARouteIsLostWithItsHost(t *testing.T) {
	t.Parallel()
	me, neighbour, stranger := asking(1, "a", "me").Holder, asking(1, "a", "neighbour").Holder, asking(1, "b", "stranger").Holder
	former, until := Holder{NamespacedName: me.NamespacedName}, time.Unix(1000, 0)
	for name, test := range map[string]struct {
		record          Record
		tenant          Holder
		published, gone bool
		want            bool
	}{
		"nobody has it":                                    {Record{}, me, false, false, false},
		"the tenant has it":                                {Record{Holder: me}, me, false, false, false},
		"another has it":                                   {Record{Holder: stranger}, me, true, false, true},
		"a neighbour has it":                               {Record{Holder: neighbour}, me, true, false, true},
		"one had it that is gone":                          {Record{Holder: stranger}, me, false, true, false},
		"it is reserved, and the route was restored":       {Record{Holder: me, Until: until}, me, false, false, true},
		"it is reserved, and clients come by the route":    {Record{Holder: me, Until: until}, me, true, false, false},
		"the tenant is gone, and it is reserved for us":    {Record{Holder: neighbour, Until: until}, former, false, false, false},
		"the tenant is gone, and it is reserved elsewhere": {Record{Holder: stranger, Until: until}, former, false, false, true},
		"the tenant is gone, and another has it":           {Record{Holder: neighbour}, former, false, false, true},
	} {
		if got := test.record.Lost(test.tenant, test.published, test.gone); got != test.want {
			t.Errorf("%s: it is lost: %v", name, got)
		}
	}
}

func TestATenantThatAsksForAnotherHostHasTheOneThatItPublishesOrElseTheLast(t *testing.T) {
	t.Parallel()
	me, other := asking(1, "a", "me").Holder, asking(1, "a", "other").Holder
	at := func(second int64, host string, by Holder) Record {
		return Record{Host: host, Holder: by, since: time.Unix(second, 0)}
	}
	reserved := at(9, "reserved.test", me)
	reserved.Until = time.Unix(99, 0)
	for name, test := range map[string]struct {
		url     string
		records []Record
		want    string
	}{
		"none":                       {"", nil, ""},
		"the one that it has":        {"", []Record{at(1, "a.test", me)}, "a.test"},
		"the last":                   {"", []Record{at(1, "a.test", me), at(3, "b.test", me), at(2, "c.test", me)}, "b.test"},
		"the one that it publishes":  {"https://a.test/scim/v2", []Record{at(1, "a.test", me), at(3, "b.test", me)}, "a.test"},
		"the same the other way":     {"https://a.test/scim/v2", []Record{at(3, "b.test", me), at(1, "a.test", me)}, "a.test"},
		"not what another has":       {"https://a.test/scim/v2", []Record{at(1, "a.test", other)}, ""},
		"not what it had let go":     {"https://reserved.test/scim/v2", []Record{reserved, at(1, "a.test", me)}, "a.test"},
		"not what one before it had": {"", []Record{at(1, "a.test", Holder{me.NamespacedName, types.UID("before")})}, ""},
	} {
		tenant := tenantWith(v1alpha1.Exposure{Host: "new.test"})
		tenant.Status.TenantURL = test.url
		if got := HeldBy(tenant, test.records); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}
