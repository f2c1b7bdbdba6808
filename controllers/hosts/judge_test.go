package hosts

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

func asking(second int, namespace, name string) Claimant {
	return Claimant{
		Holder:  Holder{types.NamespacedName{Namespace: namespace, Name: name}, types.UID(namespace + name)},
		created: time.Unix(int64(second), 0),
	}
}

func (c Claimant) withRoute() Claimant {
	c.Routed = true
	return c
}

func TestWhoHoldsAHostKeepsItAndOfNewClaimsTheOldestWins(t *testing.T) {
	me, older, younger := asking(5, "a", "me"), asking(1, "b", "older"), asking(9, "b", "younger")
	neighbour, oldNeighbour := asking(9, "a", "neighbour"), asking(1, "a", "older")
	now := time.Unix(1000, 0)
	held := func(by Claimant) Record { return Record{Host: "h", Holder: by.Holder} }
	reserved := func(by Claimant, after time.Duration) Record {
		return Record{Host: "h", Holder: by.Holder, Until: now.Add(after)}
	}
	restored := func(record Record) Record {
		record.byOthers = true
		return record
	}
	for name, test := range map[string]struct {
		record Record
		gone   bool
		me     Claimant
		rivals []Claimant
		want   Decision
	}{
		"it is mine":                          {record: held(me), rivals: []Claimant{older}, want: Decision{Verdict: Kept}},
		"it is mine, and another has a route": {record: held(me), rivals: []Claimant{older.withRoute()}, want: Decision{Verdict: Kept}},
		"a younger tenant holds it":           {record: held(younger), rivals: []Claimant{younger}, want: Decision{Verdict: Taken, by: younger.Holder}},
		"a neighbour holds it":                {record: held(neighbour), rivals: []Claimant{neighbour}, want: Decision{Verdict: Taken, by: neighbour.Holder}},
		"I have a route, and another holds it": {
			record: held(younger), me: me.withRoute(), rivals: []Claimant{younger}, want: Decision{Verdict: Taken, by: younger.Holder},
		},
		"I had let go, and want it again":      {record: reserved(me, time.Hour), rivals: []Claimant{older}, want: Decision{Verdict: Free}},
		"it is reserved for another namespace": {record: reserved(younger, time.Hour), want: Decision{Verdict: Taken, by: younger.Holder, until: now.Add(time.Hour), reserved: true}},
		"its holder of another namespace is gone": {
			record: held(younger), gone: true, me: me.withRoute(), want: Decision{Verdict: Taken, by: younger.Holder, reserved: true},
		},
		"it is reserved for my namespace":        {record: reserved(neighbour, time.Hour), rivals: []Claimant{older, younger}, want: Decision{Verdict: Free}},
		"its holder of my namespace is gone":     {record: held(neighbour), gone: true, rivals: []Claimant{older}, want: Decision{Verdict: Free}},
		"an older neighbour wants what is ours":  {record: reserved(neighbour, time.Hour), rivals: []Claimant{oldNeighbour}, want: Decision{Verdict: Taken, by: oldNeighbour.Holder, claimed: true}},
		"a younger neighbour wants what is ours": {record: reserved(oldNeighbour, time.Hour), rivals: []Claimant{neighbour}, want: Decision{Verdict: Free}},
		"the reservation ends this moment":       {record: reserved(younger, 0), want: Decision{Verdict: Free}},
		"the reservation is over, an older asks": {record: reserved(younger, -time.Hour), rivals: []Claimant{older}, want: Decision{Verdict: Taken, by: older.Holder, claimed: true}},
		"nobody else asks":                       {want: Decision{Verdict: Free}},
		"a younger one asks":                     {rivals: []Claimant{younger}, want: Decision{Verdict: Free}},
		"the oldest of several asks":             {rivals: []Claimant{younger, older}, want: Decision{Verdict: Taken, by: older.Holder, claimed: true}},
		"of one second the namespace decides":    {rivals: []Claimant{asking(5, "b", "a")}, want: Decision{Verdict: Free}},
		"of one namespace the name decides":      {rivals: []Claimant{asking(5, "a", "a")}, want: Decision{Verdict: Taken, by: asking(5, "a", "a").Holder, claimed: true}},
		// The Lease was deleted or spoiled.
		"I publish it, and an older one waits":  {me: me.withRoute(), rivals: []Claimant{older}, want: Decision{Verdict: Free}},
		"a younger one publishes it":            {rivals: []Claimant{younger.withRoute()}, want: Decision{Verdict: Taken, by: younger.Holder, claimed: true}},
		"the older of two says it publishes it": {me: me.withRoute(), rivals: []Claimant{older.withRoute()}, want: Decision{Verdict: Taken, by: older.Holder, contested: true}},
		"the younger of two says so":            {me: me.withRoute(), rivals: []Claimant{younger.withRoute()}, want: Decision{Verdict: Taken, by: younger.Holder, contested: true}},
		// A route alone, which people can make, counts for nothing against what the operator wrote.
		"I have a route for what is reserved": {
			record: reserved(younger, time.Hour), me: me.withRoute(), rivals: []Claimant{younger},
			want: Decision{Verdict: Taken, by: younger.Holder, until: now.Add(time.Hour), reserved: true},
		},
		"I had let go, and another has a route":         {record: reserved(me, time.Hour), rivals: []Claimant{older.withRoute()}, want: Decision{Verdict: Free}},
		"it was our neighbour's, and a stranger has it": {record: held(neighbour), gone: true, rivals: []Claimant{older.withRoute()}, want: Decision{Verdict: Free}},
		// The Lease was restored.
		"I publish what a tenant held that is gone": {record: restored(held(younger)), gone: true, me: me.withRoute(), want: Decision{Verdict: Free}},
		"I publish what is reserved for others": {
			record: restored(reserved(younger, time.Hour)), me: me.withRoute(), rivals: []Claimant{older}, want: Decision{Verdict: Free},
		},
		"another publishes what a tenant of ours held": {
			record: restored(held(neighbour)), gone: true, rivals: []Claimant{younger.withRoute()}, want: Decision{Verdict: Taken, by: younger.Holder, claimed: true},
		},
		"another publishes what is reserved for us": {
			record: restored(reserved(neighbour, time.Hour)), rivals: []Claimant{younger.withRoute()}, want: Decision{Verdict: Taken, by: younger.Holder, claimed: true},
		},
		"another publishes what I had let go": {
			record: restored(reserved(me, time.Hour)), rivals: []Claimant{younger.withRoute()}, want: Decision{Verdict: Taken, by: younger.Holder, claimed: true},
		},
		"two publish what is reserved": {
			record: restored(reserved(neighbour, time.Hour)), me: me.withRoute(), rivals: []Claimant{younger.withRoute()},
			want: Decision{Verdict: Taken, by: younger.Holder, contested: true},
		},
		"nobody publishes what is reserved": {
			record: restored(reserved(younger, time.Hour)), rivals: []Claimant{younger},
			want: Decision{Verdict: Taken, by: younger.Holder, until: now.Add(time.Hour), reserved: true},
		},
		"the platform team hands it over": {
			record: restored(held(younger)), me: me.withRoute(), rivals: []Claimant{younger}, want: Decision{Verdict: Taken, by: younger.Holder},
		},
		"and I get it": {record: restored(held(me)), rivals: []Claimant{older.withRoute()}, want: Decision{Verdict: Kept}},
	} {
		t.Run(name, func(t *testing.T) {
			if test.me.Holder == (Holder{}) {
				test.me = me
			}
			if got := Judge(test.me, test.record, test.gone, test.rivals, now); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestWhetherAClaimantHasARouteCountsAgainstRivalsAndWhatAnotherWrote(t *testing.T) {
	t.Parallel()
	rivals := []Claimant{asking(1, "b", "older")}
	for name, test := range map[string]struct {
		record Record
		rivals []Claimant
		want   bool
	}{
		"nobody else asks":                   {Record{}, nil, false},
		"another asks":                       {Record{}, rivals, true},
		"another wrote the Lease":            {Record{byOthers: true}, nil, true},
		"another asks, and one wrote it too": {Record{byOthers: true}, rivals, true},
	} {
		if got := test.record.NeedsRoute(test.rivals); got != test.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
