package plugin

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/proxy"
	tunnel "k8s.io/apiserver/pkg/util/proxy"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// kubelet forwards every port of every pod to one address, as a kubelet does behind an API server.
func kubelet(t *testing.T, address string) http.Handler {
	t.Helper()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := httpstream.Handshake(r, w, []string{portforward.PortForwardProtocolV1Name}); err != nil {
			t.Error(err)
			return
		}
		streams := make(chan httpstream.Stream, 2)
		connection := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(stream httpstream.Stream, _ <-chan struct{}) error {
			streams <- stream
			return nil
		})
		if connection == nil {
			return
		}
		defer connection.Close()
		var failures httpstream.Stream
		for {
			select {
			case <-connection.CloseChan():
				return
			case stream := <-streams:
				if stream.Headers().Get(corev1.StreamType) == corev1.StreamTypeError {
					failures = stream
					continue
				}
				if port := stream.Headers().Get(corev1.PortHeader); port != "8081" {
					t.Errorf("port %s is forwarded", port)
				}
				go pipe(t, address, stream, failures)
			}
		}
	})
}

func pipe(t *testing.T, address string, stream, failures httpstream.Stream) {
	t.Helper()
	defer failures.Close()
	defer stream.Close()
	to, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", address)
	if err != nil {
		fmt.Fprint(failures, err)
		return
	}
	defer to.Close()
	go func() { _, _ = io.Copy(to, stream) }()
	_, _ = io.Copy(stream, to)
}

// refusing implements proxy.ErrorResponder.
type refusing struct{ *testing.T }

func (r refusing) Error(w http.ResponseWriter, _ *http.Request, err error) {
	r.Errorf("the kubelet is not reached: %v", err)
	w.WriteHeader(http.StatusBadGateway)
}

func TestAPortOfAPodIsForwardedThroughTheAPIServer(t *testing.T) {
	t.Parallel()
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "asked for "+r.URL.Path) }))
	t.Cleanup(inside.Close)
	node := httptest.NewServer(kubelet(t, inside.Listener.Addr().String()))
	t.Cleanup(node.Close)
	at, err := url.Parse(node.URL)
	if err != nil {
		t.Fatal(err)
	}
	spdyOnly := proxy.NewUpgradeAwareHandler(at, http.DefaultTransport, false, true, refusing{t})
	for name, handler := range map[string]http.Handler{
		"with WebSocket": tunnel.NewTunnelingHandler(spdyOnly),
		"with SPDY, where the API server or a proxy before it cannot do the other": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Upgrade") == "websocket" {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			spdyOnly.ServeHTTP(w, r)
		}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/prefix/api/v1/namespaces/customers/pods/contoso-scim-1/portforward" || r.Header.Get("Authorization") != "Bearer kubeconfig" {
					t.Errorf("the API server is asked for %s as %q", r.URL, r.Header.Get("Authorization"))
				}
				handler.ServeHTTP(w, r)
			}))
			t.Cleanup(server.Close)
			config := &rest.Config{Host: server.URL + "/prefix", BearerToken: "kubeconfig"}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			address, err := PortForward(ctx, config, client.ObjectKey{Namespace: "customers", Name: "contoso-scim-1"}, 8081)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(address, "127.0.0.1:") {
				t.Errorf("the port is forwarded to %s", address)
			}
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/log", nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if body, err := io.ReadAll(response.Body); err != nil || string(body) != "asked for /log" {
				t.Errorf("the pod answers %q, %v", body, err)
			}
		})
	}
}

func TestAPortThatCannotBeForwardedIsAnErrorWithTheAPIServersWords(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,`+
			`"message":"pods \"contoso-scim-1\" is forbidden: User \"anna\" cannot create resource \"pods/portforward\""}`)
	}))
	t.Cleanup(server.Close)
	_, err := PortForward(t.Context(), &rest.Config{Host: server.URL}, client.ObjectKey{Namespace: "customers", Name: "contoso-scim-1"}, 8081)
	want := "forward a port to pod contoso-scim-1: error upgrading connection: unable to upgrade connection: " +
		`pods "contoso-scim-1" is forbidden: User "anna" cannot create resource "pods/portforward"`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
