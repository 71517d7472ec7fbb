/** The entries of a load balancer's access log, field by field. */

/** @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html "Syntax" */
const FIELDS = [
  ...['type', 'time', 'elb', 'client:port', 'target:port'],
  ...['request_processing_time', 'target_processing_time', 'response_processing_time'],
  ...['elb_status_code', 'target_status_code', 'received_bytes', 'sent_bytes'],
  ...['request', 'user_agent', 'ssl_cipher', 'ssl_protocol', 'target_group_arn', 'trace_id'],
  ...['domain_name', 'chosen_cert_arn', 'matched_rule_priority', 'request_creation_time'],
  ...['actions_executed', 'redirect_url', 'error_reason', 'target:port_list'],
  ...['target_status_code_list', 'classification', 'classification_reason'],
] as const;

export type AccessLogEntry = Readonly<Record<(typeof FIELDS)[number], string>>;

/** A field has quotes around it, in which `\"` is a quote, or has no space in it. */
export function parseAccessLogEntry(line: string): AccessLogEntry {
  const values = [...line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(
    ([, quoted, plain]) => quoted?.replaceAll(/\\(.)/g, '$1') ?? plain ?? '',
  );
  return Object.fromEntries(
    FIELDS.map((field, index) => [field, values[index] ?? '']),
  ) as AccessLogEntry;
}

/** Of several files, each in its order. */
export function sortByTime(lines: readonly string[]): string[] {
  const timeOf = (line: string): string => line.split(' ', 2)[1] ?? '';
  return lines.toSorted((a, b) => (timeOf(a) < timeOf(b) ? -1 : timeOf(a) > timeOf(b) ? 1 : 0));
}
