// Package alerts has no code. Its tests run the chart's alerts on made-up series: each fires when it should and is silent when it
// should. The cases are written in the format of `promtool test rules`, so that an older Prometheus can run the same ones.
package alerts
