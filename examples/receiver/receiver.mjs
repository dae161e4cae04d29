// An application that receives mail from a Koukan router: it refuses what it cannot use while the sending server still waits for the
// answer, stores the rest, and prints a line for each message.
//
//   node examples/receiver/receiver.mjs ./inbox 8002
//
// In the router's configuration this is a rest_endpoint with the endpoint that is printed at the start.
import { createReceiver } from 'koukan';

const [dir = './inbox', port = '8002'] = process.argv.slice(2);

const receiver = await createReceiver({
  dir,
  port: Number(port),
  decide(step) {
    if (step.phase === 'rcpt' && !step.to.startsWith('support@')) {
      return { code: 550, enhanced: '5.1.1', text: 'only support@ is read here' };
    }
    if (step.phase === 'data' && step.message.sizeBytes > 1_000_000) {
      return { code: 552, enhanced: '5.3.4', text: 'please send a link instead' };
    }
    return undefined; // accept
  },
  onMessage(message) {
    console.log(`${message.mailFrom} wrote ${message.sizeBytes} bytes: ${message.file}`);
  },
});
console.log(`receiving at ${receiver.url}`);

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => receiver.close());
