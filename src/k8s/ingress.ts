/**
 * Ingress: which HTTP requests go to which Service, by host and path; and IngressClass, which controller makes it true.
 *
 * Kubernetes itself does nothing with it. On EKS the AWS Load Balancer Controller builds an Application Load Balancer; what it
 * reads in the annotations is in src/eks/alb-annotations.ts. What is declared here is held to the rules of the API server.
 *
 * @fidelity same - rules, paths, default backend, TLS hosts, classes; simplified - a backend that is a `resource` is refused,
 *   as the AWS Load Balancer Controller refuses it; `parameters` of a class are not read
 * @see https://kubernetes.io/docs/concepts/services-networking/ingress/
 * @see kubernetes v1.31 pkg/apis/networking/validation/validation.go ValidateIngressSpec, ValidateIngressCreate
 */

import * as z from 'zod';

import { type Diagnostics, type SourceRef, suggest } from '../base/diagnostic.ts';
import { parseIpv4 } from '../base/ip.ts';
import { portSchema } from '../source/scalar.ts';
import type { Where } from '../source/yaml.ts';
import {
  type Annotated,
  checkDnsName,
  isDnsName,
  type KubernetesObject,
  readSpec,
  textMapSchema,
  whereAnnotations,
} from './object.ts';

const PATH_TYPES = ['Exact', 'Prefix', 'ImplementationSpecific'] as const;
type PathType = (typeof PATH_TYPES)[number];

export interface IngressSpec extends Annotated {
  readonly namespace: string;
  readonly name: string;
  /** Undefined where the cluster's default class holds, if it has one. */
  readonly className: string | undefined;
  /** Whether the class is written in the old annotation, which needs no IngressClass of that name. */
  readonly isClassAnnotated: boolean;
  readonly rules: readonly IngressRule[];
  readonly defaultBackend: IngressBackend | undefined;
  readonly tls: readonly IngressTls[];
  readonly at: SourceRef;
}

export interface IngressRule {
  /** Undefined for all hosts; `*.` at the beginning stands for one label. */
  readonly host: string | undefined;
  /** None where the rule leaves all paths to the default backend. */
  readonly paths: readonly IngressPath[];
  readonly where: Where;
}

export interface IngressPath {
  /** Empty for all paths, which only ImplementationSpecific allows. */
  readonly path: string;
  readonly pathType: PathType;
  readonly backend: IngressBackend;
  readonly where: Where;
}

export interface IngressBackend {
  readonly service: string;
  /** A number or the name of a port of the Service; a controller may give a name another meaning. */
  readonly port: number | string;
  readonly where: Where;
}

interface IngressTls {
  readonly hosts: readonly string[];
  readonly secretName: string | undefined;
}

export interface IngressClassSpec {
  readonly name: string;
  /** `ingress.k8s.aws/alb` for the AWS Load Balancer Controller. */
  readonly controller: string;
  /** For the Ingresses that name no class. */
  readonly isDefault: boolean;
  readonly at: SourceRef;
}

export const CLASS_ANNOTATION = 'kubernetes.io/ingress.class';
const DEFAULT_CLASS_ANNOTATION = 'ingressclass.kubernetes.io/is-default-class';

const backendSchema = z.looseObject({
  service: z
    .looseObject({
      name: z.string(),
      port: z.looseObject({ number: portSchema.nullish(), name: z.string().nullish() }).nullish(),
    })
    .nullish(),
  resource: z.looseObject({}).nullish(),
});

export const ingressSchema = z.looseObject({
  metadata: z.looseObject({ annotations: textMapSchema }),
  spec: z.looseObject({
    ingressClassName: z.string().nullish(),
    defaultBackend: backendSchema.nullish(),
    rules: z
      .array(
        z.looseObject({
          host: z.string().nullish(),
          http: z
            .looseObject({
              paths: z
                .array(
                  z.looseObject({
                    path: z.string().nullish(),
                    pathType: z.enum(PATH_TYPES).nullish(),
                    backend: backendSchema,
                  }),
                )
                .min(1),
            })
            .nullish(),
        }),
      )
      .nullish(),
    tls: z
      .array(
        z.looseObject({ hosts: z.array(z.string()).nullish(), secretName: z.string().nullish() }),
      )
      .nullish(),
  }),
});

type WrittenBackend = z.output<typeof backendSchema>;

/** Reports `ingress-class`, `ingress-host`, `ingress-path`, `ingress-backend` and `ingress-without-rules`. */
export function readIngress(
  object: KubernetesObject,
  diagnostics: Diagnostics,
): IngressSpec | undefined {
  const before = diagnostics.list.length;
  checkDnsName(object, 'subdomain', diagnostics);
  const written = readSpec(ingressSchema, object, diagnostics);
  if (written === undefined) return undefined;
  const { metadata, spec } = written;
  const where = object.tree.where().in(...object.path);
  const at = where.in('spec');
  const rules = (spec.rules ?? []).map(({ host, http }, index): IngressRule => {
    const here = at.in('rules', index);
    checkHost(object, host ?? '', here.at('host'), diagnostics);
    return {
      host: isSet(host) ? host : undefined,
      paths: (http?.paths ?? []).flatMap(({ path, pathType, backend }, place) => {
        const there = here.in('http', 'paths', place);
        const type = checkPath(object, path ?? '', pathType ?? undefined, there, diagnostics);
        const to = readBackend(object, backend, there.in('backend'), diagnostics);
        return to === undefined || type === undefined
          ? []
          : [{ path: path ?? '', pathType: type, backend: to, where: there }];
      }),
      where: here,
    };
  });
  const defaultBackend = isGiven(spec.defaultBackend)
    ? readBackend(object, spec.defaultBackend, at.in('defaultBackend'), diagnostics)
    : undefined;
  if (rules.length === 0 && !isGiven(spec.defaultBackend)) {
    diagnostics.error(
      'ingress-without-rules',
      at.at(),
      `Ingress "${object.name}" has neither rules nor a defaultBackend`,
      'give at least one rule, like "rules: [{ http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: web, port: { number: 80 } } } }] } }]"',
    );
  }
  const tls = (spec.tls ?? []).map(({ hosts, secretName }, index): IngressTls => {
    (hosts ?? []).forEach((host, place) => {
      checkHost(object, host, at.at('tls', index, 'hosts', place), diagnostics);
    });
    return { hosts: hosts ?? [], secretName: isSet(secretName) ? secretName : undefined };
  });
  const ingress: IngressSpec = {
    namespace: object.namespace,
    name: object.name,
    className: isSet(spec.ingressClassName)
      ? spec.ingressClassName
      : metadata.annotations[CLASS_ANNOTATION],
    isClassAnnotated: metadata.annotations[CLASS_ANNOTATION] !== undefined,
    annotations: metadata.annotations,
    rules,
    defaultBackend,
    tls,
    at: object.at,
    where,
  };
  if (ingress.isClassAnnotated && isSet(spec.ingressClassName)) {
    diagnostics.error(
      'ingress-class',
      whereAnnotations(ingress).keyAt(CLASS_ANNOTATION),
      `Ingress "${object.name}" has its class twice: in this annotation and in spec.ingressClassName`,
      'take the annotation out, it is the older way',
    );
  }
  return diagnostics.list.length === before ? ingress : undefined;
}

function isSet(text: string | null | undefined): text is string {
  return isGiven(text) && text !== '';
}

function isGiven<T>(value: T | null | undefined): value is T {
  return value !== null && value !== undefined;
}

function checkHost(
  { name }: KubernetesObject,
  host: string,
  at: SourceRef,
  diagnostics: Diagnostics,
): void {
  if (host === '') return;
  const report = (what: string, hint: string): void => {
    diagnostics.error('ingress-host', at, `Ingress "${name}": ${what}`, hint);
  };
  if (parseIpv4(host) !== undefined) {
    report(`the host ${host} is an address`, 'a host is a DNS name; leave it out for all of them');
    return;
  }
  const isWildcard = host.startsWith('*.');
  if (isDnsName(isWildcard ? host.slice(2) : host, 'subdomain')) return;
  if (host.includes('*')) {
    report(
      `the host "${host}" has a "*" elsewhere than in "*." at its beginning`,
      'write it like *.example.com; leave the host out for all of them',
    );
    return;
  }
  report(
    `the host "${host}" is not a DNS name`,
    'lower-case letters, digits, "-" and ".", without a port, and without http://',
  );
}

/** @see validation.go invalidPathSequences, invalidPathSuffixes */
const FORBIDDEN_IN_PATHS = ['//', '/./', '/../', '%2f', '%2F'];
const FORBIDDEN_AT_END = ['/..', '/.'];

/** The type of the path, or undefined after reporting what is wrong with either. */
function checkPath(
  { name }: KubernetesObject,
  path: string,
  pathType: PathType | undefined,
  where: Where,
  diagnostics: Diagnostics,
): PathType | undefined {
  if (pathType === undefined) {
    diagnostics.error(
      'missing-key',
      where.at(),
      `Ingress "${name}": ${path === '' ? 'a path' : `the path "${path}"`} lacks "pathType"`,
      'write "pathType: Prefix", or Exact',
    );
    return undefined;
  }
  if (pathType === 'ImplementationSpecific' && (path === '' || path.startsWith('/'))) {
    return pathType;
  }
  const report = (what: string, hint: string): void => {
    diagnostics.error('ingress-path', where.at('path'), `Ingress "${name}": ${what}`, hint);
  };
  const forbidden =
    FORBIDDEN_IN_PATHS.find((part) => path.includes(part)) ??
    FORBIDDEN_AT_END.find((part) => path.endsWith(part));
  if (path === '') {
    report(`a path of type ${pathType} is empty`, 'write "path: /" for all paths');
  } else if (!path.startsWith('/')) {
    report(`the path "${path}" does not begin with "/"`, `write it like /${path}`);
  } else if (forbidden === undefined) {
    return pathType;
  } else {
    report(
      `the path "${path}" holds "${forbidden}", which paths of type ${pathType} must not`,
      'write the path as it is after normalization',
    );
  }
  return undefined;
}

function readBackend(
  { name }: KubernetesObject,
  written: WrittenBackend,
  where: Where,
  diagnostics: Diagnostics,
): IngressBackend | undefined {
  const backend = backendOf(written, where);
  if ('service' in backend) return backend;
  const { at, what, hint } = backend;
  diagnostics.error('ingress-backend', at, `Ingress "${name}": ${what}`, hint);
  return undefined;
}

interface Mistake {
  readonly at: SourceRef;
  readonly what: string;
  readonly hint: string;
}

function backendOf({ service, resource }: WrittenBackend, where: Where): IngressBackend | Mistake {
  if (isGiven(resource)) {
    return {
      at: where.keyAt('resource'),
      what: 'a backend is a resource, which the AWS Load Balancer Controller does not serve',
      hint: 'name a Service, like "service: { name: web, port: { number: 80 } }"',
    };
  }
  if (!isGiven(service)) {
    return {
      at: where.at(),
      what: 'a backend has no service',
      hint: 'name one, like "service: { name: web, port: { number: 80 } }"',
    };
  }
  const at = where.in('service');
  if (!isDnsName(service.name, 'label')) {
    return {
      at: at.at('name'),
      what: `"${service.name}" is no name that a Service can have`,
      hint: 'lower-case letters, digits and "-", at most 63, and a letter or digit at both ends',
    };
  }
  const { number, name: portName } = service.port ?? {};
  if (isGiven(number) && isSet(portName)) {
    return {
      at: at.at('port'),
      what: `the port of Service "${service.name}" has both a number and a name`,
      hint: 'keep one of the two',
    };
  }
  const port = isSet(portName) ? portName : (number ?? undefined);
  if (port === undefined) {
    return {
      at: at.at('port'),
      what: `the backend "${service.name}" has no port`,
      hint: 'write "port: { number: 80 }", or "port: { name: http }"',
    };
  }
  if (typeof port === 'string' && !isPortName(port)) {
    return {
      at: at.at('port', 'name'),
      what: `"${port}" is no name that a port can have`,
      hint: /^\d+$/.test(port)
        ? `write "port: { number: ${port} }"`
        : 'lower-case letters, digits and "-", at most 15, with a letter among them',
    };
  }
  return { service: service.name, port, where };
}

/** @see https://www.rfc-editor.org/rfc/rfc6335#section-5.1; `use-annotation`, a word of one controller, fits it, too. */
export function isPortName(text: string): boolean {
  return text.length <= 15 && /^[a-z0-9]+(-[a-z0-9]+)*$/.test(text) && /[a-z]/.test(text);
}

export const ingressClassSchema = z.looseObject({
  metadata: z.looseObject({ annotations: textMapSchema }),
  spec: z.looseObject({ controller: z.string().max(250) }),
});

/** Reports `ingress-class`. */
export function readIngressClass(
  object: KubernetesObject,
  diagnostics: Diagnostics,
): IngressClassSpec | undefined {
  const named = checkDnsName(object, 'subdomain', diagnostics);
  const written = readSpec(ingressClassSchema, object, diagnostics);
  if (written === undefined || !named) return undefined;
  const { metadata, spec } = written;
  if (!/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?\/.+$/.test(spec.controller)) {
    diagnostics.error(
      'ingress-class',
      object.tree.at([...object.path, 'spec', 'controller']),
      `IngressClass "${object.name}": the controller "${spec.controller}" is not a domain and a path`,
      suggest(spec.controller, ['ingress.k8s.aws/alb']) ??
        "the AWS Load Balancer Controller's is ingress.k8s.aws/alb",
    );
    return undefined;
  }
  return {
    name: object.name,
    controller: spec.controller,
    isDefault: metadata.annotations[DEFAULT_CLASS_ANNOTATION] === 'true',
    at: object.at,
  };
}
