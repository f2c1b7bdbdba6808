package apply

import (
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

// bug class 2: the cache hears of an object between a look at it and the apply.
func TestWhatFollowsFromTheAbsenceOfAnObjectIsNotWrittenOverOne(t *testing.T) {
	t.Parallel()
	there := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "b", Name: "a", UID: "u"}}
	cluster := fake.NewClientBuilder().WithObjects(there).Build()
	owner := Owner{Client: cluster, Live: cluster, Object: &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: "b", Name: "owner", UID: "o"}}}
	want := corev1ac.PersistentVolumeClaim("a", "b").WithLabels(map[string]string{"x": "1"})
	child := New(want, &corev1.PersistentVolumeClaim{}).Adopting(func(metav1.Object) bool { return true }).Absent()
	if _, err := owner.Apply(t.Context(), child); !errors.Is(err, ErrUnseen) {
		t.Errorf("got %v, want %v", err, ErrUnseen)
	}
	var now corev1.PersistentVolumeClaim
	if err := cluster.Get(t.Context(), client.ObjectKeyFromObject(there), &now); err != nil || now.Labels != nil {
		t.Errorf("the object has labels %v (%v)", now.Labels, err)
	}
}

func TestTheHashOfWhatIsAppliedIsTheSameAgainAndAnotherForAnythingElse(t *testing.T) {
	t.Parallel()
	account := func() *corev1ac.ServiceAccountApplyConfiguration {
		return corev1ac.ServiceAccount("a", "b").WithLabels(map[string]string{"x": "1", "y": "2"})
	}
	hash := func(want *corev1ac.ServiceAccountApplyConfiguration) string {
		t.Helper()
		intent, err := intend(want)
		if err != nil || intent.hash == "" || want.Annotations[AnnotationApplied] != intent.hash {
			t.Fatalf("the hash is %q, the annotations %v, and the error %v", intent.hash, want.Annotations, err)
		}
		return intent.hash
	}
	want := account()
	first := hash(want)
	for name, same := range map[string]*corev1ac.ServiceAccountApplyConfiguration{
		"stamped already": want, "made anew": account(), "bound to a version": account().WithResourceVersion("7"),
	} {
		if got := hash(same); got != first {
			t.Errorf("%s: the hash is %s, want %s", name, got, first)
		}
	}
	for name, other := range map[string]*corev1ac.ServiceAccountApplyConfiguration{
		"a value": account().WithLabels(map[string]string{"x": "2"}), "a field": account().WithAutomountServiceAccountToken(false),
		"an annotation": account().WithAnnotations(map[string]string{"x": ""}),
	} {
		if hash(other) == first {
			t.Errorf("%s is other and the hash is the same", name)
		}
	}
}

// An API server that leaves something out, or admission that does, must not be asked again and again.
func TestWhatCameOfAnApplyStandsUntilSomebodyChangesIt(t *testing.T) {
	t.Parallel()
	live := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "b", Name: "a", UID: "u", ResourceVersion: "8"}}
	own := func(fields string) {
		live.ManagedFields = []metav1.ManagedFieldsEntry{{
			Manager: FieldManager, Operation: metav1.ManagedFieldsOperationApply, FieldsV1: metav1.NewFieldsV1(fields),
		}}
	}
	own(`{"f:metadata":{"f:labels":{"f:x":{}}}}`)
	child := New(corev1ac.ServiceAccount("a", "b").WithLabels(map[string]string{"x": "1"}), live)
	intent, err := child.intent()
	if err != nil {
		t.Fatal(err)
	}
	var answers Answers
	stands := func(want bool, when string) {
		t.Helper()
		if got := answers.stand(child, intent); got != want {
			t.Errorf("%s: it stands: %v, want %v", when, got, want)
		}
	}
	stands(false, "nothing was applied")
	answers.learn(child, intent, "9")
	stands(false, "the cache is behind")
	live.ResourceVersion = "9"
	stands(true, "the cache has what came of it")
	live.ResourceVersion = "10"
	stands(true, "somebody wrote a status")
	own(`{"f:metadata":{"f:labels":{}}}`)
	stands(false, "somebody took a field")
	own(`{"f:metadata":{"f:labels":{"f:x":{}}}}`)
	live.Annotations = map[string]string{AnnotationApplied: "x"}
	stands(false, "somebody changed the annotation")
	live.Annotations = nil
	stands(true, "and took it away again")
	intent.hash = "another"
	stands(false, "something else is wanted")
	answers.forget(child)
	var nothing *Answers
	nothing.learn(child, intent, "9")
	if nothing.stand(child, intent) {
		t.Error("nil remembers")
	}
}
