// Pion as a peer: `pion peer` speaks the peer protocol on stdin and stdout (../README.md), `pion pair SCENARIO ...`
// measures two peers in this process. It compiles against Pion 4, and against the Pion 3 of Debian 12.
package main

import (
	"log"
	"net"
	"os"
	"time"

	"github.com/pion/webrtc/v4"
)

// newConnection makes a peer connection with loopback candidates only.
func newConnection(options ...func(*webrtc.API)) (*webrtc.PeerConnection, error) {
	settings := webrtc.SettingEngine{}
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() && ip.To4() != nil })
	settings.SetICETimeouts(2*time.Second, 5*time.Second, 500*time.Millisecond)
	options = append(options, webrtc.WithSettingEngine(settings))
	return webrtc.NewAPI(options...).NewPeerConnection(webrtc.Configuration{})
}

func main() {
	log.SetFlags(0)
	switch {
	case len(os.Args) == 2 && os.Args[1] == "peer":
		servePeer()
	case len(os.Args) > 2 && os.Args[1] == "pair":
		runPair(os.Args[2:])
	default:
		log.Fatal("usage: pion peer | pion pair SCENARIO ARGUMENT...")
	}
}
