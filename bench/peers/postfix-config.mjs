/** The two files of a Postfix that relays everything from this machine to the sink; only what differs from its defaults. */

export function mainConfig(home, { sinkPort }) {
  const settings = {
    compatibility_level: '3.6',
    queue_directory: `${home}/spool`,
    data_directory: `${home}/data`,
    myhostname: 'postfix.example',
    mydestination: '',
    mynetworks: '127.0.0.0/8',
    inet_interfaces: '127.0.0.1',
    inet_protocols: 'ipv4',
    relayhost: `[127.0.0.1]:${sinkPort}`,
    // No DNS, and no tables to look addresses up in.
    disable_dns_lookups: 'yes',
    smtp_host_lookup: 'native',
    smtpd_peername_lookup: 'no',
    alias_maps: '',
    alias_database: '',
    local_recipient_maps: '',
    default_process_limit: '120',
    message_size_limit: '134217728',
    mailbox_size_limit: '0',
    smtp_tls_security_level: 'none',
    smtpd_tls_security_level: 'none',
    maillog_file_prefixes: home,
    maillog_file: `${home}/maillog`,
    // As a relay for one destination: no throttling of who brings mail, connections kept.
    in_flow_delay: '0',
    smtp_connection_cache_destinations: `[127.0.0.1]:${sinkPort}`,
    initial_destination_concurrency: '20',
    default_destination_concurrency_limit: '20',
    smtpd_client_connection_count_limit: '0',
    smtpd_relay_restrictions: 'permit_mynetworks, reject',
    smtpd_recipient_restrictions: '',
  };
  return lines(Object.entries(settings).map(([name, value]) => `${name} = ${value}`));
}

/** name, type, private, unprivileged, chroot, wake up, limit, command; `-` is the default. */
const services = [
  'pickup unix n - n 60 1 pickup',
  'cleanup unix n - n - 0 cleanup',
  'qmgr unix n - n 300 1 qmgr',
  'tlsmgr unix - - n 1000? 1 tlsmgr',
  'rewrite unix - - n - - trivial-rewrite',
  'bounce unix - - n - 0 bounce',
  'defer unix - - n - 0 bounce',
  'trace unix - - n - 0 bounce',
  'verify unix - - n - 1 verify',
  'flush unix n - n 1000? 0 flush',
  'proxymap unix - - n - - proxymap',
  'proxywrite unix - - n - 1 proxymap',
  'smtp unix - - n - - smtp',
  'relay unix - - n - - smtp',
  'showq unix n - n - - showq',
  'error unix - - n - - error',
  'retry unix - - n - - error',
  'discard unix - - n - - discard',
  'anvil unix - - n - 1 anvil',
  'scache unix - - n - 1 scache',
  'postlog unix-dgram n - n - 1 postlogd',
];

export const masterConfig = ({ queue, proxy, sinkPort }) =>
  lines([
    `127.0.0.1:${queue} inet n - n - - smtpd`,
    `127.0.0.1:${proxy} inet n - n - - smtpd`,
    `  -o smtpd_proxy_filter=127.0.0.1:${sinkPort}`,
    ...services,
  ]);

const lines = (texts) => `${texts.join('\n')}\n`;
