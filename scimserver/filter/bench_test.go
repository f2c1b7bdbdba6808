package filter_test

import (
	"testing"

	"github.com/tenantry/tenantry/scimserver/filter"
	"github.com/tenantry/tenantry/scimserver/schema"
)

func BenchmarkParse(b *testing.B) {
	rt := schema.User()
	for name, in := range map[string]string{
		"userName":  `userName eq "anna.k@contoso.test"`,
		"valuePath": `emails[type eq "work"].value eq "anna.k@contoso.test"`,
		"extension": `urn:ietf:params:scim:schemas:extension:medius:2.0:User:customFieldText1 eq "CC-100" and active eq "True"`,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := filter.Parse(rt, in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkMatch(b *testing.B) {
	obj, err := schema.Decode([]byte(anna))
	if err != nil {
		b.Fatal(err)
	}
	for name, in := range map[string]string{
		"userName":  `userName eq "anna.k@contoso.TEST"`,
		"valuePath": `emails[type eq "home"].value eq "a@home.test"`,
		"contains":  `department co "ale" and userName co "CONTOSO"`,
	} {
		f := parse(b, in)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !filter.Match(f, obj) {
					b.Fatal("no match")
				}
			}
		})
	}
}
