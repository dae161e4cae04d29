/** The SMTP side of the bare relay: smtp-server with nothing added but what lets it relay. */
import { SMTPServer } from 'smtp-server';

const SIZE_MAX_BYTES = 128 * 1024 * 1024;

/** `take` resolves when a message may be answered for. Resolves when it listens. */
export function startSmtp(port, take) {
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    logger: false,
    size: SIZE_MAX_BYTES,
    onData(stream, { envelope }, callback) {
      const pieces = [];
      stream.on('data', (piece) => pieces.push(piece));
      stream.on('end', () => {
        const to = envelope.rcptTo.map(({ address }) => address);
        const message = { from: envelope.mailFrom.address, to, content: Buffer.concat(pieces) };
        take(message).then(() => callback(null, 'taken'), callback);
      });
    },
  });
  server.on('error', (error) => process.stderr.write(`bare relay: ${error.message}\n`));
  return new Promise((resolve) => {
    server.listen(port, '127.0.0.1', resolve);
  });
}
