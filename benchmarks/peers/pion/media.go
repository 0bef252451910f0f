package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
	"github.com/pion/webrtc/v4/pkg/media/samplebuilder"
)

const maxLate = 500 // packets that a frame waits for one that is missing

// Pion has no codecs: frames come in and go out encoded, and ../pion_peer.py has the rest.

// outgoing is a track of ours; its encodings by rid, "" where there is one.
type outgoing struct {
	sender    *webrtc.RTPSender
	encodings map[string]*webrtc.TrackLocalStaticSample
}

// withMedia gives connections the codecs and interceptors of Pion's defaults, and transport-wide numbers on what they
// send.
func withMedia() ([]func(*webrtc.API), error) {
	engine, registry := &webrtc.MediaEngine{}, &interceptor.Registry{}
	if err := engine.RegisterDefaultCodecs(); err != nil {
		return nil, err
	}
	if err := webrtc.RegisterDefaultInterceptors(engine, registry); err != nil {
		return nil, err
	}
	if err := webrtc.ConfigureTWCCHeaderExtensionSender(engine, registry); err != nil {
		return nil, err
	}
	return []func(*webrtc.API){webrtc.WithMediaEngine(engine), webrtc.WithInterceptorRegistry(registry)}, nil
}

func newEncoding(codec, name, rid string) (*webrtc.TrackLocalStaticSample, error) {
	options := []func(*webrtc.TrackLocalStaticRTP){}
	if rid != "" {
		options = append(options, webrtc.WithRTPStreamID(rid))
	}
	return webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: codec}, name, "stream", options...)
}

// addTrack adds what `frame` then fills. On a section of the offer that was set last if `Associate`.
func (c *connection) addTrack(args command) error {
	if len(args.Rids) == 0 {
		args.Rids = []string{""}
	}
	added := &outgoing{encodings: map[string]*webrtc.TrackLocalStaticSample{}}
	for _, rid := range args.Rids {
		encoding, err := newEncoding(args.Codec, args.Name, rid)
		if err != nil {
			return err
		}
		added.encodings[rid] = encoding
	}
	first := added.encodings[args.Rids[0]]
	if args.Associate {
		sender, err := c.pc.AddTrack(first)
		if err != nil {
			return err
		}
		added.sender = sender
	} else {
		init := webrtc.RTPTransceiverInit{Direction: webrtc.NewRTPTransceiverDirection(args.Direction)}
		transceiver, err := c.pc.AddTransceiverFromTrack(first, init)
		if err != nil {
			return err
		}
		added.sender = transceiver.Sender()
		if err := prefer(transceiver, args.Codecs); err != nil {
			return err
		}
	}
	for _, rid := range args.Rids[1:] {
		if err := added.sender.AddEncoding(added.encodings[rid]); err != nil {
			return err
		}
	}
	c.mutex.Lock()
	c.outgoing[args.Name] = added
	c.mutex.Unlock()
	for _, rid := range args.Rids {
		go c.readFeedback(added.sender, args.Name, rid)
	}
	return nil
}

// prefer leaves only the codecs of these MIME types, and their retransmission.
func prefer(transceiver *webrtc.RTPTransceiver, names []string) error {
	if len(names) == 0 {
		return nil
	}
	named := map[string]bool{"video/rtx": true}
	for _, name := range names {
		named[strings.ToLower(name)] = true
	}
	kept := []webrtc.RTPCodecParameters{}
	for _, codec := range transceiver.Sender().GetParameters().Codecs {
		if named[strings.ToLower(codec.MimeType)] {
			kept = append(kept, codec)
		}
	}
	return transceiver.SetCodecPreferences(kept)
}

// readFeedback tells when a key frame is asked for; reading is also what lets the interceptors have their RTCP.
func (c *connection) readFeedback(sender *webrtc.RTPSender, name, rid string) {
	for {
		var packets []rtcp.Packet
		var err error
		if rid == "" {
			packets, _, err = sender.ReadRTCP()
		} else {
			packets, _, err = sender.ReadSimulcastRTCP(rid)
		}
		if err != nil {
			return // the sender has stopped
		}
		for _, packet := range packets {
			switch packet.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				emit(object{"event": "key", "pc": c.name, "name": name, "rid": rid})
			}
		}
	}
}

func (c *connection) out(name string) (*outgoing, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.outgoing[name] == nil {
		return nil, fmt.Errorf("no track %q", name)
	}
	return c.outgoing[name], nil
}

// replaceTrack stops and resumes what is sent. It is always the same track: another would begin with a sequence
// number of its own, which for half of all numbers the receiver's replay protection drops.
func (c *connection) replaceTrack(args command) error {
	track, err := c.out(args.Name)
	if err != nil {
		return err
	}
	if args.Codec == "" {
		return track.sender.ReplaceTrack(nil)
	}
	return track.sender.ReplaceTrack(track.encodings[""])
}

func (c *connection) sendFrame(args command) error {
	track, err := c.out(args.Name)
	if err != nil {
		return err
	}
	encoding := track.encodings[args.Rid]
	if encoding == nil {
		return fmt.Errorf("no encoding %q", args.Rid)
	}
	duration := time.Duration(args.Duration * float64(time.Second))
	return encoding.WriteSample(media.Sample{Data: args.Data, Duration: duration})
}

func (c *connection) askForKey(ssrc uint32) error {
	return c.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: ssrc}})
}

func depacketizer(mime string) rtp.Depacketizer {
	switch strings.ToLower(mime) {
	case "video/vp8":
		return &codecs.VP8Packet{}
	case "video/vp9":
		return &codecs.VP9Packet{}
	case "video/h264":
		return &codecs.H264Packet{}
	}
	return &codecs.OpusPacket{} // a packet is a frame: so it is with all codecs of sound
}

func (c *connection) transceiver(matches func(*webrtc.RTPTransceiver) bool) *webrtc.RTPTransceiver {
	for _, transceiver := range c.pc.GetTransceivers() {
		if matches(transceiver) {
			return transceiver
		}
	}
	return nil
}

// receive tells each frame of a track, and asks for a key frame where one was lost.
func (c *connection) receive(track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	mid := c.transceiver(func(t *webrtc.RTPTransceiver) bool { return t.Receiver() == receiver }).Mid()
	codec := track.Codec()
	about := func(event string, more object) {
		more["event"], more["pc"], more["mid"] = event, c.name, mid
		emit(more)
	}
	about("track", object{"kind": track.Kind().String(), "streams": []string{track.StreamID()}, "codec": codec.MimeType})
	builder := samplebuilder.New(maxLate, depacketizer(codec.MimeType), codec.ClockRate)
	lost := track.Kind() == webrtc.RTPCodecTypeVideo // it begins where it will
	for {
		packet, _, err := track.ReadRTP()
		if err != nil {
			about("track_state", object{"state": "ended"})
			return
		}
		builder.Push(packet)
		for sample := builder.Pop(); sample != nil; sample = builder.Pop() {
			lost = lost || sample.PrevDroppedPackets > 0 && track.Kind() == webrtc.RTPCodecTypeVideo
			about("frame", object{"data": sample.Data})
		}
		if lost && c.askForKey(uint32(track.SSRC())) == nil {
			lost = false
		}
	}
}

func (c *connection) transceivers() object {
	found := []object{}
	for _, each := range c.pc.GetTransceivers() {
		found = append(found, object{"mid": each.Mid(), "kind": each.Kind().String(), "direction": each.Direction().String()})
	}
	return object{"transceivers": found}
}

// runMedia carries out the commands on tracks; false: it is none.
func (c *connection) runMedia(args command) (object, error, bool) {
	switch args.Cmd {
	case "add":
		return object{}, c.addTrack(args), true
	case "replace":
		return object{}, c.replaceTrack(args), true
	case "frame":
		return object{}, c.sendFrame(args), true
	case "stop":
		track, err := c.out(args.Name)
		if err != nil {
			return nil, err, true
		}
		return object{}, c.transceiver(func(t *webrtc.RTPTransceiver) bool { return t.Sender() == track.sender }).Stop(), true
	case "transceivers":
		return c.transceivers(), nil, true
	case "remote_offer":
		offer := webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: args.SDP}
		return object{}, c.pc.SetRemoteDescription(offer), true
	}
	return nil, nil, false
}
