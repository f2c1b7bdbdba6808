package locale_test

import (
	"archive/zip"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tenantry/tenantry/scimserver/locale"
)

var update = flag.Bool("update", false, "write the names of the zones of this Go release")

func TestLanguageTagsAreThoseOfTheRegistry(t *testing.T) {
	for text, want := range map[string]string{
		"sv": "", "sv-SE": "", "sv_SE": "", "SV-se": "", "zh-Hant-TW": "", "es-419": "", "sr-Latn-RS": "", "de-CH-1901": "", "ca-valencia": "",
		"nb-NO": "", "no": "", "yue": "", "en-001": "", "de-DE-u-co-phonebk": "", "en-x-contoso": "",
		"xx-YY": `"xx" is not in the registry`, "sv-YY": `"YY" is not in the registry`, "zz": "registry", "sv-abcde": "registry",
		"": "such as sv-SE", "english": "such as sv-SE", "Mars": "such as sv-SE", "sv-": "such as sv-SE", "sv SE": "such as sv-SE", "*": "such as sv-SE",
		"sv-SE.UTF-8": "such as sv-SE", "en, sv": "such as sv-SE", "C": "such as sv-SE",
	} {
		wants(t, "CheckTag", text, locale.CheckTag(text), want)
	}
}

func TestPreferredLanguagesAreThoseOfAcceptLanguage(t *testing.T) {
	for text, want := range map[string]string{
		"sv": "", "sv-SE": "", "sv-SE, en;q=0.8": "", "da,en-gb;q=0.8,en;q=0.7": "", "*": "", "sv, *;q=0.5": "", "sv ; q=1.000": "", "sv;Q=0": "",
		"xx-YY": "registry", "sv, xx": "registry", "english": "such as sv-SE", "": "such as sv-SE", "sv,": "such as sv-SE",
		"sv;q=2": "weight", "sv;q=1.5": "weight", "sv;q=0.8888": "weight", "sv;q=-1": "weight", "sv;": "weight", "sv;level=1": "weight", "sv;q=0.8;x": "weight",
	} {
		wants(t, "CheckLanguages", text, locale.CheckLanguages(text), want)
	}
}

func TestTimeZonesAreThoseOfTheDatabase(t *testing.T) {
	for text, want := range map[string]string{
		"Europe/Stockholm": "", "America/Argentina/Buenos_Aires": "", "UTC": "", "Etc/GMT+5": "", "Asia/Calcutta": "", "Europe/Kyiv": "", "EST5EDT": "",
		"US/Pacific": "", "America/Port-au-Prince": "", "Zulu": "",
		"Mars/Base": "such as Europe/Stockholm", "Local": "such as Europe/Stockholm", "": "such as Europe/Stockholm", "Factory": "such as Europe/Stockholm",
		"Europe": "such as Europe/Stockholm", "Europe/": "such as Europe/Stockholm", "/etc/localtime": "such as Europe/Stockholm",
		"../zoneinfo/UTC": "such as Europe/Stockholm", "posix/Europe/Stockholm": "such as Europe/Stockholm", "zone.tab": "such as Europe/Stockholm",
		"CEST": "such as Europe/Stockholm", "W. Europe Standard Time": "such as Europe/Stockholm", "UTC+1": "such as Europe/Stockholm",
		"UTC\nEurope": "such as Europe/Stockholm", "europe/stockholm": "which has Europe/Stockholm", "utc": "which has UTC",
	} {
		wants(t, "CheckZone", text, locale.CheckZone(text), want)
	}
}

func wants(t *testing.T, check, text string, err error, want string) {
	t.Helper()
	if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("%s(%q) = %v, want %q", check, text, err, want)
	}
}

// Where this fails, a newer Go release has other zones: run it with -update.
func TestTheZonesAreThoseOfThisGoRelease(t *testing.T) {
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	database, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer database.Close()
	var names []string
	for _, file := range database.File {
		// Factory stands for no zone having been set.
		if !strings.HasSuffix(file.Name, "/") && file.Name != "Factory" {
			names = append(names, file.Name)
		}
	}
	slices.Sort(names)
	want := strings.Join(names, "\n") + "\n"
	if *update {
		if err := os.WriteFile("zones.txt", []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("zones.txt")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("zones.txt is of another release of Go: go test ./scimserver/locale -run Release -update")
	}
}
