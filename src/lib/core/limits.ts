/** Every bound of the system that is not configuration, by name. Sizes in bytes, times in milliseconds. */
export const limits = {
  /** RFC 5321 §4.5.3.1.4 asks for 512; extensions and internationalised addresses need more. */
  smtpCommandLineBytes: 4096,
  /** RFC 5321 §4.5.3.1.6: 1000 with CRLF. Longer lines are common in the wild, so this is where a message is refused. */
  smtpTextLineBytes: 1_000_000,
  /** A reply of a far end, all its lines. */
  smtpReplyBytes: 65_536,
  /** RFC 5321 §4.5.3.1.10 asks for at least 100. */
  rcptsPerTransaction: 1000,
  messageBytes: 64 * 1024 * 1024,
  /** Bodies up to this size stay in memory, larger ones go to a spool file. */
  bodyInMemoryBytes: 256 * 1024,
  /** Size of one stored piece of a large blob. */
  blobChunkBytes: 256 * 1024,
  /** JSON of a create or PATCH request. */
  requestJsonBytes: 4 * 1024 * 1024,
  messageHeaderBytes: 1024 * 1024,
  /** What a hanging GET waits for at most (protocol §1.1). */
  hangingGetMs: 30_000,
  rcptParamsPerCommand: 20,
  messageBuilderParts: 1000,
  /** Answers an in-process DNS cache keeps. */
  dnsCacheEntries: 10_000,
} as const;
