"""Where is speech in a waveform? One public class a file: level alone, WebRTC's rules, or Silero's net."""
