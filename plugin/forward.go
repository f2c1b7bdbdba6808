package plugin

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// loopback is where a port is forwarded to: this machine alone reaches it.
const loopback = "127.0.0.1"

// Forward makes a port of a pod reachable at the address that it returns, until ctx ends or the pod does. [PortForward] does it as
// kubectl port-forward does.
type Forward func(ctx context.Context, config *rest.Config, pod client.ObjectKey, port int) (address string, err error)

// PortForward forwards a port of this machine's loopback device through the API server. That takes the right to create
// pods/portforward. Through a proxy of the API server's a request could not carry the tenant's token: it takes the header
// Authorization for its own.
func PortForward(ctx context.Context, config *rest.Config, pod client.ObjectKey, port int) (string, error) {
	dialer, err := podDialer(config, pod)
	if err != nil {
		return "", err
	}
	// It logs nothing: its failures are those of the requests that go through it.
	quiet := logr.NewContext(ctx, logr.Discard())
	ready, ended := make(chan struct{}), make(chan error, 1)
	ports := []string{"0:" + strconv.Itoa(port)}
	forwarder, err := portforward.NewOnAddressesForStreamingWithContext(quiet, dialer, []string{loopback}, ports, ready, io.Discard, io.Discard)
	if err != nil {
		return "", fmt.Errorf("forward a port to pod %s: %w", pod.Name, err)
	}
	go func() { ended <- forwarder.ForwardPorts() }()
	select {
	case <-ready:
	case <-ctx.Done():
		return "", ctx.Err()
	case err := <-ended:
		return "", fmt.Errorf("forward a port to pod %s: %w", pod.Name, err)
	}
	forwarded, err := forwarder.GetPorts()
	if err != nil {
		return "", fmt.Errorf("forward a port to pod %s: %w", pod.Name, err)
	}
	return net.JoinHostPort(loopback, strconv.Itoa(int(forwarded[0].Local))), nil
}

// podDialer tunnels through a WebSocket, and where the API server or a proxy before it cannot, upgrades to SPDY as ever.
func podDialer(config *rest.Config, pod client.ObjectKey) (httpstream.Dialer, error) {
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, err
	}
	at := base.JoinPath("api/v1/namespaces", pod.Namespace, "pods", pod.Name, "portforward")
	transport, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		return nil, err
	}
	old := spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost, at)
	tunnel, err := portforward.NewSPDYOverWebsocketDialerForStreamingWithLogger(logr.Discard(), at, config)
	if err != nil {
		return nil, err
	}
	return portforward.NewFallbackDialerForStreaming(tunnel, old, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	}), nil
}
