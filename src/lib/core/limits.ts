/** Every bound of the system that is not configuration, by name. Sizes in bytes, times in milliseconds. */
export const limits = {
  /** RFC 5321 §4.5.3.1.4 asks for 512; extensions and internationalised addresses need more. */
  smtpCommandLineBytes: 4096,
  /** A path of an envelope. RFC 5321 §4.5.3.1.3 asks for 256; PostgreSQL finds nothing again by more than some 2 700. */
  smtpPathBytes: 1024,
  /** RFC 5321 §4.5.3.1.6: 1000 with CRLF. Longer lines are common in the wild, so this is where a message is refused. */
  smtpTextLineBytes: 1_000_000,
  /** A reply of a far end, all its lines. */
  smtpReplyBytes: 65_536,
  /** How long the TCP connection to a destination may take. */
  smtpConnectMs: 60_000,
  /** Message bytes that are handed to the system at once. */
  smtpWriteBytes: 256 * 1024,
  /** What one read takes of what an SMTP server says. */
  smtpReadBytes: 4096,
  /** What one read takes of what an SMTP client says; all of them are read into the same memory. */
  sharedReadBytes: 65_536,
  /** A connection that does not answer RSET, or QUIT, in this time is dropped. */
  smtpRsetMs: 10_000,
  smtpQuitMs: 5000,
  /** Exchanges that wait for a connection to one destination, and for how long. */
  smtpPoolWaiters: 10_000,
  smtpPoolWaitMs: 60_000,
  /** Above this number of open connections, over all destinations, the one that has idled longest is closed. */
  smtpPoolConnections: 1000,
  /** Messages that the test sink remembers; older ones are forgotten. */
  sinkMessages: 100_000,
  /** RFC 5321 §4.5.3.1.10 asks for at least 100. */
  rcptsPerTransaction: 1000,
  messageBytes: 64 * 1024 * 1024,
  /** A body in memory is one buffer up to this size, several beyond it. */
  bodyInMemoryBytes: 256 * 1024,
  /** Up to here a copy of a message in memory costs less than to read it in pieces. */
  bodyCopiedBytes: 16 * 1024,
  /** An incoming body up to the first size stays in memory; up to the second one it does as long as all such bodies together are within the third. */
  bodyUnaskedBytes: 16 * 1024,
  bodyHeldBytes: 4 * 1024 * 1024,
  bodiesInMemoryBytes: 64 * 1024 * 1024,
  /** Memory of messages that are gone, kept for the next ones; the same for copies of small messages that are written to a socket. */
  idleSlabBytes: 16 * 1024 * 1024,
  idleCopyBytes: 1024 * 1024,
  /** Size of one stored piece of a large blob. */
  blobChunkBytes: 256 * 1024,
  /** JSON of a create or PATCH request. */
  requestJsonBytes: 4 * 1024 * 1024,
  /** Of all that are read at the same time and are not small; a quarter of it for one client address. */
  requestsJsonBytes: 64 * 1024 * 1024,
  messageHeaderBytes: 1024 * 1024,
  /** Header fields, and the bytes of all headers, that are kept of one message and its parts. */
  mimeHeaders: 10_000,
  mimeHeaderBytes: 4 * 1024 * 1024,
  /** Parts of one message that are followed: with one blob each they still are no more than a receiver takes. */
  mimeParts: 999,
  /** RFC 2046 §5.1.1 allows 70. */
  mimeBoundaryBytes: 256,
  /** Report fields (`message/delivery-status`, `text/rfc822-headers`, …) of one message that are read as headers, all parts together. */
  mimeReportBytes: 256 * 1024,
  /** Header text that is longer is not searched for encoded words. */
  encodedWordsChars: 128 * 1024,
  /** The largest `max_inline` of a `receive_parsing`: text inside the JSON of a parsed message, where it stands twice. */
  parsedInlineBytes: 1024 * 1024,
  /** What a hanging GET waits for at most (protocol §1.1). */
  hangingGetMs: 30_000,
  rcptParamsPerCommand: 20,
  /** By how much the clocks of two routers on one database may differ; a wall clock that is set back by more is noticed. */
  clockSkewMs: 60_000,
  /** Due times that are corrected in one go after that. */
  dueCorrections: 1000,
  /** A far end that has not answered the final dot after this long takes its time: the delivery journal hears of it. */
  dotNoteMs: 5,
  /** Least pause between two attempts, whatever the retry policy says. */
  retryPauseMs: 1000,
  /** A process that does not keep up takes nothing new: when it is late by so much, at so many looks in a row, this far apart. */
  overloadLateMs: 1000,
  overloadLooks: 3,
  overloadLookMs: 250,
  /** Or when so many writes, or bytes of them, wait for a commit; half of what makes the store itself say no. */
  overloadWrites: 10_000,
  overloadWriteBytes: 128 * 1024 * 1024,
  /** When whoever was refused for that is asked to come back, in seconds. */
  overloadRetryAfterSeconds: 5,
  /** Conversations under way in one process; more are refused. */
  conversations: 20_000,
  messageBuilderParts: 1000,
  messageBuilderHeaders: 1000,
  /** All headers of a message builder as JSON: they are encoded and folded at one go, while everybody else waits. */
  messageBuilderHeaderChars: 131_072,
  /** What a process that ends waits for its REST clients to read the last answers. */
  drainLingerMs: 3000,
  /** What an orderly stop that was told to hurry may still take. */
  stopGraceMs: 5000,
  /** Transactions a REST receiver has open. */
  receiverTransactions: 10_000,
  /** Nesting of the JSON a receiver takes: of a parsed message, whose parts nest. */
  receiverJsonDepth: 64,
  /** What the answer to the last upload waits for the decision about the message. */
  receiverLingerMs: 2000,
  /** What `koukan send` waits for the answer to a create, and to an upload. */
  sendRequestMs: 30_000,
  sendUploadMs: 600_000,
  /** How much of the original header a delivery status notification quotes. */
  dsnHeaderBytes: 65_536,
  /** The largest message that a notification returns whole when that was asked for (RET=FULL); of a larger one it returns the header. */
  dsnMessageBytes: 1024 * 1024,
  /** How much is read of the machine-readable part of a notification. */
  dsnStatusBytes: 1024 * 1024,
  /** How long a 250 is held back until the report of a success is stored; after that it is written behind. */
  successReportMs: 2000,
  /** Answers an in-process DNS cache keeps. */
  dnsCacheEntries: 10_000,
  configFileBytes: 4 * 1024 * 1024,
  /** Modules that one configuration names. */
  plugins: 100,
  /** A plugin while it is loaded: its own code, and all it imports and waits for. */
  pluginLoadMs: 30_000,
  /** What the code of a plugin takes for one phase, without what the rest of the chain takes. */
  pluginPhaseMs: 300_000,
  /** The JSON of one signal that a plugin sets. */
  pluginSignalBytes: 65_536,
  /** How deep `<<` merges of a configuration may nest. */
  configMergeDepth: 10,
  /** Bytes of a blob that are committed at once: larger bodies go to the store in pieces of this size. */
  blobWriteBytes: 1024 * 1024,
  /** Files that are written past the system's cache at the same time: each has memory for `blobWriteBytes`, and a thread of libuv to wait with. */
  directWrites: 4,
  /** With SQLite, bodies up to this size are in the row of their blob, larger ones in pieces of their own. */
  bodyWithBlobBytes: 16 * 1024,
  /** With SQLite, larger bodies are files beside the database. */
  bodyInRowBytes: 256 * 1024,
  /** A file that a create has left behind which came to nothing goes after this long. */
  unusedFileMs: 300_000,
  /** How often files are looked for whose rows are gone, and how many are looked up at a time. */
  orphanFilesMs: 3_600_000,
  orphanFilesRead: 500,
  /** Writes that share one commit, at most. */
  storeBatchOperations: 512,
  storeBatchBytes: 8 * 1024 * 1024,
  /** A commit that takes longer: the database stands still, and takes no writes until it answers. */
  storeStandstillMs: 10_000,
  /** Writes that wait for a commit; beyond it the store says that it is unavailable. */
  storeQueueOperations: 20_000,
  storeQueueBytes: 256 * 1024 * 1024,
  /** History rows that wait to be written; the oldest are dropped, with a warning, when the database is away for long. */
  storeHistoryBacklog: 10_000,
  storeHistoryBytes: 32 * 1024 * 1024,
  /** How often a history row fails alone, while others are written, before it is given up. */
  storeHistoryTries: 3,
  /** How long a history row waits for a commit to join before it gets its own. */
  storeHistoryPauseMs: 250,
  /** Runs of a batch that another writer made fail (deadlock, serialisation). */
  storeBatchRuns: 4,
  sqliteBusyMs: 5000,
  /** SQLite's write-ahead log, which grows while somebody reads for long; beyond it nothing is stored. */
  sqliteLogBytes: 4 * 1024 * 1024 * 1024,
  /** Less than this free on the disk of an SQLite store: no new messages. For a log that grows to 28 MB, and what is collected. How often it is looked at. */
  storeFreeBytes: 32 * 1024 * 1024,
  storeFreeLookMs: 1000,
  postgresConnections: 5,
  postgresConnectMs: 5000,
  /** A statement of a router: here until the connection is given up, there until the server stops it and frees its locks. */
  postgresQueryMs: 10_000,
  /** A statement of a migration, which may have to read a large table, or wait for another migrator. */
  postgresMigrateMs: 3_600_000,
  /** A connection to the database without traffic is asked whether it is still there. */
  postgresKeepAliveMs: 10_000,
  /** How long a session without terms of its own is believed in. */
  sessionTtlMs: 90_000,
  /** Leases of one session that are looked through at a time. */
  leasesRead: 20_000,
  /** Transactions that one call of the garbage collector deletes, pieces of blobs (`blobChunkBytes`), and how long a run may take. */
  gcTransactions: 100,
  gcChunks: 64,
  gcRunMs: 5000,
  /** A lease that nobody works on, seen twice at this distance, is let go, and due after this pause; `lostClaimMs` after a claim whose answer was lost, and at once. */
  strayLeaseMs: 15_000,
  strayPauseMs: 30_000,
  lostClaimMs: 1000,
  /** A stored transaction whose sender this router does not know waits this long for one that does; so many such senders are reported, each once. */
  unknownSenderPauseMs: 300_000,
  unknownSenders: 1000,
  /** An upload refreshes its transaction's age at most this often. */
  uploadTouchMs: 10_000,
  /** Nesting of arrays and objects in the JSON of a request. */
  requestJsonDepth: 32,
  /** One address or one ESMTP parameter in the JSON of a request; RFC 5321 §4.5.3.1.3 asks for 256 octets. */
  requestMailboxChars: 1024,
  /** A blob id or a sender or tag name chosen by a client. */
  requestNameChars: 128,
  /** Requests of one client address at work at the same time; gateways and routers that are trusted speak for many, and do not count. */
  restInflightPerPeer: 100,
  /** Requests for one sender at work at the same time, where its configuration does not say. */
  restInflightPerSender: 500,
  /** Connections to one REST server; more are closed at once. */
  restConnections: 25_000,
  /** A request from its first to its last byte, however steadily it trickles in; its header; its wait for a process that listens and is not ready yet. */
  restRequestMs: 3_600_000,
  restHeaderMs: 60_000,
  restHeaderBytes: 16_384,
  restOpeningMs: 10_000,
  /** Tokens in a file of tokens; how often a file of secrets is looked at, to see whether it has changed. */
  authTokens: 100_000,
  secretFileLookMs: 1000,
  /** Hanging GETs that wait at the same time, and those of one client address that is not trusted; more are answered at once, as if nothing had changed. */
  hangingGets: 20_000,
  hangingGetsPerPeer: 1000,
  /** What is still read of an upload that was refused, so that its sender gets to hear why. */
  refusedUploadBytes: 64 * 1024 * 1024,
  /** A connection of the REST server on which nothing moves. */
  httpIdleMs: 120_000,
  /** An answer of a REST peer. */
  httpAnswerBytes: 4 * 1024 * 1024,
  httpRedirects: 5,
  /** The entity of a request that goes as a frame between two Koukans; larger ones go by themselves. */
  frameEntityBytes: 128 * 1024,
  /** Such requests under way on one connection, and connections of them to one server. */
  framesInFlight: 2000,
  frameLines: 1000,
  /** The system asks whether the other end is there when nothing was heard for so long. */
  frameKeepAliveMs: 30_000,
  /** Frames written that a peer does not read; beyond that it is not listened to. */
  frameBacklogBytes: 1024 * 1024,
  /** Connections to one REST peer: for short requests, and for hanging GETs, each of which occupies one. */
  httpConnections: 128,
  httpPollConnections: 4096,
  /** REST peers to which connections are kept. */
  httpOrigins: 512,
  /** Least pause between two hanging GETs when the ETag did not move (protocol §1.4). */
  pollPauseMs: 1000,
  /** How often an upload may be told to resume somewhere else, or fail, before it is given up. */
  uploadResyncs: 8,
  /** How often a PATCH is tried again after 412 or a broken connection. */
  patchTries: 5,
  /** A cancel nobody waits for. */
  cancelMs: 5000,
  /** RFC 5321 §4.5.3.1.5, with CRLF. */
  smtpReplyLineBytes: 512,
  /** Sessions of one SMTP listener. */
  smtpSessions: 1000,
  /** Connections that the system keeps until they are taken; of the next, the client's system tries again after a second, and then ever later. */
  smtpBacklog: 4096,
  /** Who finds no session is told so after this time, unless one has become free; who is refused MAIL hears it after the same time. */
  smtpRefusalMs: 2000,
  /** Connections that wait for that; the next are refused at once. */
  smtpRefusalsWaiting: 4000,
  /** What a client that waits for a session may have sent of its handshake, where TLS comes first. Twice what is usual, with keys for quantum computers. */
  smtpTlsHelloBytes: 4096,
  /** Inactivity after which a session is ended (RFC 5321 §4.5.3.2.7). */
  smtpIdleMs: 300_000,
  /** A message of one session from its first to its last byte, however steadily it trickles in. */
  smtpMessageMs: 3_600_000,
  /** Commands a session may get wrong between two accepted messages. */
  smtpErrorsPerSession: 20,
  smtpAuthFailuresPerSession: 3,
  /** Commands of a session until a message is accepted, then counted afresh: who tries out addresses, or only keeps us busy, comes to an end. */
  smtpCommandsPerMessage: 12_000,
  /** Sessions of one client address with one SMTP listener; where it is not configured, those from this machine do not count. */
  smtpSessionsPerHost: 50,
  /** Mail transactions of one listener that may be under way at the same time. */
  inboundTransactions: 1000,
  /** What a gateway waits for the answer to MAIL (protocol §8.1). */
  inboundMailMs: 10_000,
  /** What an adoption waits for an attempt that has its answer to let go of its connection. */
  attemptEndMs: 1000,
  /** A stored copy whose keeper died is delivered after so long: longer than any answer to DATA is waited for. */
  copyHoldMs: 900_000,
  /** Nesting of `any`, `all` and `not` in the match of a policy, counted in path segments. */
  policyMatchDepth: 32,
  /** Mail hosts of one domain that are looked up, and addresses that are tried. */
  mxHosts: 20,
  resolvedHosts: 64,
  /** Transactions on one page of a list, and how many it may look at to find them. */
  listPageRows: 200,
  listScanRows: 2000,
  /** An address in a line of the log, and what of the log is kept while it cannot be written. */
  logAddressChars: 320,
  logWaitingBytes: 1 << 20,
  /** Transactions that one `koukan tx` command changes. */
  bulkTransactions: 100_000,
  /** Addresses of peers of which it is remembered whether they are in a network. */
  knownPeers: 1000,
  /** Series of one metric; what is one too many is counted as `other`. */
  metricSeries: 500,
  /** How long the depth of the queue is not asked for again, and up to how many transactions are counted for it. */
  queueDepthMs: 10_000,
  queueCountRows: 1_000_000,
  /** One check of a message's sender (SPF, DKIM, DMARC, ARC, the peer's name): DNS questions, and how long they may take together. */
  authDnsQuestions: 150,
  authDnsMs: 20_000,
  /** Signatures of one message that are verified; RSA keys longer than this are not tried. */
  dkimSignatures: 10,
  dkimKeyBits: 8192,
  /** An SPF record that is looked at; longer ones are mistakes or worse (RFC 7208 §3.4 hopes for 450). */
  spfRecordChars: 4096,
  /** Names of one peer that are confirmed; author domains of one message whose DMARC policy is looked up. */
  ptrNames: 10,
  dmarcAuthorDomains: 4,
  /** RFC 8617 §4.2.1. */
  arcSets: 50,
} as const;
