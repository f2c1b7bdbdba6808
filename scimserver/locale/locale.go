// Package locale says whether a text is what the attributes locale, preferredLanguage and timezone of a user are to have (RFC 7643
// section 4.1.1). Every error says what would be right.
package locale

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/text/language"
)

// CheckTag returns why a text is no language tag of BCP 47, or nil. Every subtag has to be in IANA's registry: sv-SE, zh-Hant-TW and
// es-419 are, xx-YY is not. An underscore stands for a hyphen, as in sv_SE.
func CheckTag(text string) error {
	if _, err := language.Parse(text); err != nil {
		if unknown, ok := errors.AsType[language.ValueError](err); ok {
			return fmt.Errorf("%q is no language tag: %q is not in the registry of BCP 47; sv-SE and zh-Hant-TW are such tags", text, unknown.Subtag())
		}
		return fmt.Errorf("%q is no language tag of BCP 47 such as sv-SE or zh-Hant-TW", text)
	}
	return nil
}

// CheckLanguages returns why a text is not the value of the header field Accept-Language (RFC 9110 section 12.5.4), or nil: language tags
// as CheckTag takes them, or *, each with a weight if need be.
func CheckLanguages(text string) error {
	for element := range strings.SplitSeq(text, ",") {
		tag, weight, weighted := strings.Cut(element, ";")
		tag, weight = strings.Trim(tag, " \t"), strings.Trim(weight, " \t")
		if weighted && !isWeight(weight) {
			return fmt.Errorf("%q must have a weight from q=0 to q=1 behind the semicolon, as in sv-SE, en;q=0.8", text)
		}
		if tag == "*" {
			continue
		}
		if err := CheckTag(tag); err != nil {
			return err
		}
	}
	return nil
}

// isWeight tells whether a text is a weight as RFC 9110 section 12.4.2 has it: 0 to 1, with up to three digits behind the point.
func isWeight(text string) bool {
	name, value, _ := strings.Cut(text, "=")
	whole, fraction, _ := strings.Cut(value, ".")
	if !strings.EqualFold(name, "q") || len(fraction) > 3 {
		return false
	}
	return whole == "0" && strings.Trim(fraction, "0123456789") == "" || whole == "1" && strings.Trim(fraction, "0") == ""
}

// names are those of the IANA time zone database that Go's release has, with those that stay for compatibility. To link the zones
// themselves (time/tzdata) would cost each server 450 KB, and to look for them on the system would find others on each.
//
//go:embed zones.txt
var names string

// zones are the lines of names, sorted.
var zones = sync.OnceValue(func() []string { return strings.Fields(names) }) //nolint:gochecknoglobals // made once

// CheckZone returns why a text is no name of a time zone of IANA's database, or nil. Local, which means another zone on each machine, is none.
func CheckZone(text string) error {
	if _, found := slices.BinarySearch(zones(), text); found {
		return nil
	}
	for _, zone := range zones() {
		if strings.EqualFold(zone, text) {
			return fmt.Errorf("%q is no name of the IANA time zone database, which has %s", text, zone)
		}
	}
	return fmt.Errorf("%q is no name of the IANA time zone database such as Europe/Stockholm", text)
}
