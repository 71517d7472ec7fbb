/**
 * Which Ingresses the AWS Load Balancer Controller serves, and what they tell it.
 *
 * Its Helm chart brings an IngressClass `alb`, which a lab need not declare. The old annotation `kubernetes.io/ingress.class:
 * alb` needs no class at all.
 *
 * @fidelity same - class by annotation, by name and by default; simplified - IngressClassParams are not read, and no other
 *   controller is there to serve other classes
 * @see https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/ingress/ingress_class/
 * @see aws-load-balancer-controller pkg/ingress/group_loader.go classifyIngress
 */

import { type Diagnostics, renderSourceRef, suggest } from '../base/diagnostic.ts';
import { CLASS_ANNOTATION, type IngressClassSpec, type IngressSpec } from '../k8s/ingress.ts';
import type { Manifests } from '../k8s/manifest.ts';
import { whereAnnotations } from '../k8s/object.ts';
import { type AlbSettings, readAlbSettings, readServiceTarget } from './alb-annotations.ts';
import type { WrittenTarget } from './alb-target.ts';

export interface AlbIngress {
  readonly ingress: IngressSpec;
  readonly settings: AlbSettings;
}

export interface AlbIngresses {
  readonly ingresses: readonly AlbIngress[];
  /** What is written on Services, by `namespace/name`. */
  readonly services: ReadonlyMap<string, WrittenTarget>;
}

const CONTROLLER = 'ingress.k8s.aws/alb';
const CLASS = 'alb';

/** Reports `ingress-class`, and what alb-annotations.ts does. */
export function readAlbIngresses(
  manifests: Pick<Manifests, 'ingresses' | 'ingressClasses' | 'services'>,
  diagnostics: Diagnostics,
): AlbIngresses {
  const served = manifests.ingresses.filter((ingress) =>
    isServed(ingress, manifests.ingressClasses, diagnostics),
  );
  return {
    ingresses: served.map((ingress) => ({
      ingress,
      settings: readAlbSettings(ingress, diagnostics),
    })),
    services: new Map(
      manifests.services.flatMap((service) => {
        const target = readServiceTarget(service, diagnostics);
        return target === undefined
          ? []
          : [[`${service.namespace}/${service.name}`, target] as const];
      }),
    ),
  };
}

function isServed(
  ingress: IngressSpec,
  classes: readonly IngressClassSpec[],
  diagnostics: Diagnostics,
): boolean {
  const { name, className, isClassAnnotated } = ingress;
  const warn = (what: string, hint: string | undefined): false => {
    const place = isClassAnnotated
      ? whereAnnotations(ingress).at(CLASS_ANNOTATION)
      : className === undefined
        ? ingress.at
        : ingress.where.at('spec', 'ingressClassName');
    diagnostics.warning('ingress-class', place, `Ingress "${name}" ${what}`, hint);
    return false;
  };
  if (isClassAnnotated) {
    if (className === CLASS) return true;
    return warn(
      `is of class "${className ?? ''}", which nobody serves here: no load balancer is built`,
      `write "ingressClassName: ${CLASS}"`,
    );
  }
  const [found, second] =
    className === undefined
      ? classes.filter(({ isDefault }) => isDefault)
      : classes.filter((one) => one.name === className);
  if (second !== undefined && found !== undefined) {
    return warn(
      `names no class, and two are the default: "${found.name}" at ${renderSourceRef(found.at)} and "${second.name}" at ${renderSourceRef(second.at)}`,
      `write "ingressClassName: ${CLASS}"`,
    );
  }
  if (found?.controller === CONTROLLER || (found === undefined && className === CLASS)) return true;
  if (className === undefined && found === undefined) {
    return warn(
      'names no class, and none is the default: no load balancer is built',
      `write "ingressClassName: ${CLASS}"`,
    );
  }
  const known = [CLASS, ...classes.map((one) => one.name)];
  return found === undefined
    ? warn(
        `is of class "${className ?? ''}", which there is not: no load balancer is built`,
        suggest(className ?? '', known),
      )
    : warn(
        `is of class "${found.name}", whose controller, ${found.controller}, is not here: no load balancer is built`,
        `write "ingressClassName: ${CLASS}"`,
      );
}
