/**
 * In which category a sample is: that of the innermost of its functions that any rule knows. Whoever called that function does not count, so that a
 * callback of ours is ours although Node's socket called it, and a write is the kernel's whoever wrote. V8's builtins, its runtime and what else has no
 * rule count for the function that called them.
 */

/** What the kernel does is named by what interrupts it, and by the call it is asked for. The first that any of its functions fits. */
const KERNEL_RULES = [
  ['kernel: page faults, mapping memory', /page_fault|^__x64_sys_(mmap|munmap|madvise|mprotect|brk)$/],
  ['kernel: switching threads', /^(irqentry_exit_to_user_mode|exit_to_user_mode_loop|syscall_exit_to_user_mode)$/],
  ['kernel: interrupts', /^asm_(sysvec_|common_interrupt)/],
  ['kernel: syncs', /^(do_fsync|vfs_fsync_range|__x64_sys_(fsync|fdatasync|sync_file_range|msync))$/],
  ['kernel: writes to sockets', /^(sock_write_iter|sock_sendmsg|__sys_sendto|__sys_sendmsg)$/],
  ['kernel: reads of sockets', /^(sock_read_iter|sock_recvmsg|__sys_recvfrom|__sys_recvmsg)$/],
  [
    'kernel: connections',
    /^(sock_close|__sys_(socket|bind|connect|accept4?|shutdown|setsockopt|getsockname|getpeername))$/,
  ],
  ['kernel: polls', /^(do_epoll_\w+|__x64_sys_epoll_\w+)$/],
  ['kernel: waking and waiting', /^(eventfd_(read|write)|do_futex|__x64_sys_futex|__x64_sys_sched_yield)$/],
];
/** On its way into a call the kernel does not know yet what the file is; who called does. */
const CALLER_RULES = [
  ['kernel: writes to sockets', /^(node::LibuvStreamWrap::DoTryWrite|uv__?(try_)?write)/],
  ['kernel: reads of sockets', /^(uv__stream_io|uv__read|node::LibuvStreamWrap)/],
  ['kernel: polls', /^(epoll_pwait|epoll_ctl|uv__epoll)/],
  ['kernel: waking and waiting', /^(uv_async_send|uv__async|uv__io_poll|node::worker::Message)/],
];
const CALLER_FRAMES = 3;
const FILE_CALLS =
  /^(vfs_|ksys_|__x64_sys_(p?read|p?write|open|close|unlink|rename|stat|fstat|newfstat|f?truncate|fallocate|fcntl))/;
const KERNEL_FILES = 'kernel: files';
const KERNEL_REST = 'kernel: the rest';

/** Of JavaScript, by the file of the function. The first that fits. */
const FILE_RULES = [
  ...['smtp/listener', 'smtp/client', 'gateway', 'outputs', 'store', 'spool', 'http', 'message', 'auth', 'core'].map(
    (folder) => [`ours: ${folder}`, new RegExp(`/dist/lib/${folder}/`)],
  ),
  ['ours: chain, filters, matchers', /\/dist\/lib\/(chain|filters|matchers)\//],
  ['ours: router', /\/dist\/lib\/(router|conversation)\//],
  ['ours: the rest', /\/dist\//],
  ['SQLite', /\/node_modules\/better-sqlite3\//],
  ['PostgreSQL’s client', /\/node_modules\/pg(-[a-z]+)?\//],
  [
    'HTTP libraries',
    /\/node_modules\/(fastify|@fastify|undici|find-my-way|light-my-request|fast-json-stringify|avvio|ajv)\//,
  ],
  ['other libraries', /\/node_modules\//],
  ['messages between threads', /node:internal\/(worker|per_context\/messageport)/],
  ['Node: sockets, streams, HTTP', /node:(net|stream|http|_http|tls|_tls|internal\/(stream|http|net|tls|js_stream))/],
  ['Node: buffers, timers, events', /node:/],
];

/** Of C and C++, by the function's own name. */
const NATIVE_RULES = [
  [
    'garbage collection',
    /^(?!Builtins_).*(v8::internal::.*(Scaveng|MarkCompact|Marker|Marking|Sweep|Evacuat|CollectGarbage|MinorGC|GarbageCollect)|cppgc::)/,
  ],
  [
    'compiling',
    /v8::internal::(compiler|maglev|baseline|interpreter|parsing|\(anonymous namespace\)::CompileAll)::|v8::internal::(Compiler|\w*Compil\w*|Parser\w*|PreParser\w*|Deoptimizer|TieringManager|BytecodeGraphBuilder)::/,
  ],
  ['memory of buffers', /NodeArrayBufferAllocator|v8::internal::(BackingStore|JSArrayBuffer)|node::Buffer::New/],
  ['messages between threads', /node::worker::Message|v8::(internal::)?Value(De)?[sS]erializer/],
  [
    'cryptography',
    /^node::crypto::|^(bn_|BN_|rsaz?_|RSA_|ossl_|EVP_|evp_|sha\d|SHA\d|HMAC_|aesni_|OPENSSL_|CRYPTO_|ERR_)/,
  ],
  [
    'Node: sockets, streams, HTTP',
    /^node::(\w*Stream\w*|\w*Write\w*|ConnectionWrap|TCPWrap|\w*Listener|\w*Http\w*|HandleWrap)(::|$)|^uv__?(stream|read|write|try_write|tcp|server_io|accept|close|getiovmax)|^llhttp|^node::\(anonymous namespace\)::Parser/,
  ],
  ['promises, microtasks', /MicrotaskQueue|RunMicrotasks|PromiseRejectCallback/],
  [
    'event loop, callbacks',
    /^uv_|^node::(SpinEventLoop|Environment::Run|InternalMakeCallback|InternalCallbackScope|AsyncWrap::|CallbackScope)/,
  ],
];

const OBJECT_RULES = [
  ['SQLite', /better_sqlite3\.node$/],
  ['cryptography', /libcrypto/],
];

const C_LIBRARY = 'malloc, free, copies';
export const UNKNOWN = 'not known';

const isKernel = ({ object }) => /^\[(kernel|guest|unknown)?\.?kallsyms\]$|^\[kernel/.test(object);
const first = (rules, text) => rules.find(([, pattern]) => pattern.test(text))?.[0];
const known = new Map();

function ruleOf(frame) {
  const key = `${frame.object} ${frame.symbol}`;
  if (!known.has(key)) known.set(key, findRule(frame));
  return known.get(key);
}

function findRule({ symbol, object }) {
  // `JS:*name file:line:column`; what it has no file for is V8's.
  if (symbol.startsWith('JS:')) return first(FILE_RULES, symbol);
  return first(OBJECT_RULES, object) ?? first(NATIVE_RULES, symbol);
}

/** The category of a sample with these functions, the innermost first. */
export function categoryOf(frames) {
  if (frames.length === 0) return UNKNOWN;
  if (isKernel(frames[0])) return kernelCategoryOf(frames);
  for (const frame of frames) {
    const category = ruleOf(frame);
    if (category !== undefined) return category;
  }
  // Its functions keep no frame pointers.
  return /\/libc[.-]/.test(frames[0].object) ? C_LIBRARY : UNKNOWN;
}

function kernelCategoryOf(frames) {
  const callerAt = frames.findIndex((frame) => !isKernel(frame));
  const [own, callers] = callerAt === -1 ? [frames, []] : [frames.slice(0, callerAt), frames.slice(callerAt)];
  return (
    firstOfAny(KERNEL_RULES, own) ??
    firstOfAny(CALLER_RULES, callers.slice(0, CALLER_FRAMES)) ??
    (own.some(({ symbol }) => FILE_CALLS.test(symbol)) ? KERNEL_FILES : KERNEL_REST)
  );
}

const firstOfAny = (rules, frames) =>
  rules.find(([, pattern]) => frames.some(({ symbol }) => pattern.test(symbol)))?.[0];

/** Threads are told apart by the function they were started with. */
const THREAD_RULES = [
  ['database thread', /^node::worker::Worker::(Run|StartThread)/],
  ['V8’s threads', /PlatformWorkerThread|^v8::platform::/],
  ['libuv’s threads', /^uv__thread_start|^uv__?work|^worker$|node::ThreadPoolWork/],
];
export const MAIN_THREAD = 'main thread';
export const THREADS = [MAIN_THREAD, ...THREAD_RULES.map(([name]) => name), 'other threads'];

/** What a sample says of its thread; `undefined` when its stack does not reach so far. */
export function threadOf({ pid, tid, frames }) {
  if (pid === tid) return MAIN_THREAD;
  for (const { symbol } of frames.toReversed()) {
    const name = first(THREAD_RULES, symbol);
    if (name !== undefined) return name;
  }
  return undefined;
}
