package panicked_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"

	"github.com/tenantry/tenantry/internal/panicked"
)

const person = "anna.smith@contoso.com"

func explode() error { panic(errors.New(person)) }

func TestAPanicIsToldByTypeAndStackAlone(t *testing.T) {
	concealed := func() error {
		return panicked.Guard(func() error {
			defer panicked.Conceal()
			return explode()
		})
	}
	for name, f := range map[string]func() error{"guarded": func() error { return panicked.Guard(explode) }, "concealed": concealed} {
		err := f()
		if _, told := errors.AsType[*panicked.Error](err); !told {
			t.Fatalf("%s: %v, want a *panicked.Error", name, err)
		}
		if text := err.Error(); strings.Contains(text, person) || !strings.Contains(text, "panicked_test.go") {
			t.Errorf("%s: %s", name, text)
		}
	}
	if err := panicked.Guard(explode); !strings.Contains(err.Error(), "*errors.errorString") {
		t.Errorf("no type: %v", err)
	}
	if err := panicked.Guard(func() error { return context.Canceled }); !errors.Is(err, context.Canceled) {
		t.Errorf("an error: %v", err)
	}
}

func TestTheHandlerLogsTypeAndStackAlone(t *testing.T) {
	var text strings.Builder
	log := funcr.New(func(_, line string) { text.WriteString(line) }, funcr.Options{})
	func() {
		defer func() { panicked.Handler(log)(context.Background(), recover()) }()
		_ = explode()
	}()
	if logged := text.String(); strings.Contains(logged, person) || !strings.Contains(logged, "*errors.errorString") ||
		!strings.Contains(logged, "panicked_test.go") {
		t.Errorf("logged %s", logged)
	}
}
