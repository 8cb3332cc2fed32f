import {
  AddEquation,
  BufferAttribute,
  BufferGeometry,
  CustomBlending,
  DoubleSide,
  DynamicDrawUsage,
  GLSL3,
  InstancedBufferAttribute,
  InstancedBufferGeometry,
  Mesh,
  NoBlending,
  OneFactor,
  OneMinusSrcAlphaFactor,
  PerspectiveCamera,
  Points,
  RawShaderMaterial,
  Scene,
  Vector2,
  Vector3,
  WebGLRenderer,
  type IUniform,
  type Object3D,
} from 'three';
import { FIELD, HIGHEST, type Orbit } from './camera.ts';
import { FLIGHT_MS, LANDING_MS, WORDS, type ArcRing } from './ring.ts';
import type { City } from './cities.ts';
import type { Land } from './land.ts';
import type { Palette } from './palette.ts';
import * as shaders from './shaders.ts';
import { subsolar, toVector } from './sphere.ts';

/** Pieces of an arc's ribbon. Only the part in the air is drawn, so few are enough. */
const PIECES = 28;

/** Radius of the globe, in pixels, at which lines have the widths of shaders.ts. */
const LINE_RADIUS = 340;

type Uniforms = Record<string, IUniform>;

/** What is drawn, in five draws: ball with air, land, cities at night, rings, arcs. */
export class View {
  readonly renderer: WebGLRenderer;
  private readonly scene = new Scene();
  private readonly camera = new PerspectiveCamera(FIELD, 1, 0.1, 20);
  private readonly orders: InstancedBufferAttribute;
  private readonly instanced: InstancedBufferGeometry[] = [];
  /** What is light on a dark page and covers on a light one. */
  private readonly shining: RawShaderMaterial[] = [];
  private ratio = 1;
  private readonly lights = new Points();
  private readonly uniforms = {
    eye: { value: new Vector3() },
    right: { value: new Vector3() },
    up: { value: new Vector3() },
    sun: { value: new Vector3(0, 0, 1) },
    ...colours(),
    marked: { value: new Vector2(-1, -1) },
    picked: { value: -1 },
    spread: { value: new Vector2() },
    view: { value: new Vector2() },
    pixel: { value: 0.001 },
    scale: { value: 1 },
    nearness: { value: 1 },
    dot_: { value: 2 },
    now: { value: 0 },
    flight: { value: FLIGHT_MS },
    landing: { value: LANDING_MS },
    highest: { value: HIGHEST },
  } satisfies Uniforms;

  constructor(canvas: HTMLCanvasElement, private readonly ring: ArcRing, land: Land) {
    this.renderer = new WebGLRenderer({ canvas, alpha: true, antialias: false, depth: false, stencil: false, powerPreference: 'high-performance' });
    this.renderer.setClearColor(0, 0);
    this.scene.matrixWorldAutoUpdate = false;
    this.lights.material = this.material(shaders.lights, 'light');
    this.lights.visible = false;
    this.orders = new InstancedBufferAttribute(ring.words, WORDS);
    this.orders.setUsage(DynamicDrawUsage);
    this.add(new Mesh(square(), this.material(shaders.ball, 'opaque')));
    this.add(new Points(dots(land), this.material(shaders.land, 'over')));
    this.add(this.lights);
    this.add(new Mesh(this.perOrder(ringShape()), this.material(shaders.rings, 'light')));
    this.add(new Mesh(this.perOrder(ribbonShape()), this.material(shaders.arcs, 'light')));
  }

  /** Draw calls of the last frame. */
  get draws(): number {
    return this.renderer.info.render.calls;
  }

  private add(object: Object3D): void {
    object.frustumCulled = false;
    object.renderOrder = this.scene.children.length;
    this.scene.add(object);
  }

  private perOrder(geometry: InstancedBufferGeometry): InstancedBufferGeometry {
    geometry.setAttribute('order', this.orders);
    this.instanced.push(geometry);
    return geometry;
  }

  private material(source: { vertex: string; fragment: string }, how: 'opaque' | 'over' | 'light'): RawShaderMaterial {
    const material = new RawShaderMaterial({
      glslVersion: GLSL3,
      vertexShader: source.vertex,
      fragmentShader: source.fragment,
      uniforms: this.uniforms,
      side: DoubleSide, // ribbons turn either way
      depthTest: false,
      depthWrite: false,
      transparent: how !== 'opaque',
      blending: how === 'opaque' ? NoBlending : CustomBlending,
      blendEquation: AddEquation,
      blendSrc: OneFactor,
      blendDst: how === 'light' ? OneFactor : OneMinusSrcAlphaFactor,
      blendSrcAlpha: OneFactor,
      blendDstAlpha: OneMinusSrcAlphaFactor,
    });
    if (how === 'light') this.shining.push(material);
    return material;
  }

  /** Draws in these colours from the next frame on. */
  paint(palette: Palette): void {
    const u = this.uniforms;
    u.solid.value = palette.light ? 1 : 0;
    for (const material of this.shining) material.blendDst = palette.light ? OneMinusSrcAlphaFactor : OneFactor;
    u.seaDay.value.fromArray(palette.seaDay);
    u.seaNight.value.fromArray(palette.seaNight);
    u.landDay.value.fromArray(palette.landDay);
    u.landNight.value.fromArray(palette.landNight);
    u.airNear.value.fromArray(palette.airNear);
    u.airFar.value.fromArray(palette.airFar);
    u.dusk.value.fromArray(palette.dusk);
    u.lightTint.value.fromArray(palette.lights);
    u.chosenTint.value.fromArray(palette.chosen);
    u.hotTint.value.fromArray(palette.hot);
    palette.tones.forEach((tone, i) => u.tones.value[i]!.fromArray(tone));
  }

  /** Marks the countries that are chosen and pointed at, by their place in the list of codes; -1: none. */
  mark(chosen: number, pointed: number): void {
    this.uniforms.marked.value.set(chosen, pointed);
  }

  /** Shows one slot's whole way, and dims the others; -1: none. */
  pick(slot: number): void {
    this.uniforms.picked.value = slot;
  }

  /** Lights the cities, from the next frame on. */
  light(cities: readonly City[]): void {
    const positions = new Float32Array(cities.length * 3);
    const people = new Float32Array(cities.length);
    cities.forEach((city, i) => {
      toVector(city.lat, city.lon, positions, i * 3);
      people[i] = Math.min(1, Math.max(0, Math.log10(city.people / 250_000) / 2));
    });
    this.lights.geometry.setAttribute('position', new BufferAttribute(positions, 3));
    this.lights.geometry.setAttribute('people', new BufferAttribute(people, 1));
    this.lights.visible = cities.length > 0;
  }

  /** Fits the canvas: CSS pixels and pixels per CSS pixel. */
  resize(width: number, height: number, ratio: number, orbit: Orbit): void {
    this.renderer.setPixelRatio(ratio);
    this.renderer.setSize(width, height, false);
    this.camera.aspect = width / height;
    this.camera.updateProjectionMatrix();
    orbit.shape(width / height);
    const tan = Math.tan((FIELD / 2) * (Math.PI / 180));
    this.uniforms.spread.value.set(tan * this.camera.aspect, tan);
    this.uniforms.view.value.set((width * ratio) / 2, (height * ratio) / 2);
    this.ratio = ratio;
  }

  /** Puts the sun where it stands at a time, in milliseconds since 1970. */
  sunAt(ms: number): void {
    const { lat, lon } = subsolar(ms);
    const v = [0, 0, 0];
    toVector(lat, lon, v);
    this.uniforms.sun.value.fromArray(v);
  }

  /** Draws one frame at `now` of the globe's clock. */
  draw(orbit: Orbit, now: number): void {
    this.camera.position.copy(orbit.position);
    this.camera.up.copy(orbit.up);
    this.camera.lookAt(0, 0, 0);
    this.camera.updateMatrixWorld();
    this.uniforms.eye.value.copy(orbit.position);
    this.uniforms.right.value.copy(orbit.right);
    this.uniforms.up.value.copy(orbit.up);
    this.uniforms.now.value = Math.round(now) >>> 0;
    // A pixel at the limb, in radii, from which all sizes on the ground follow.
    const radiusPixels = this.uniforms.view.value.y / (orbit.distance * this.uniforms.spread.value.y);
    this.uniforms.pixel.value = 0.75 / radiusPixels;
    this.uniforms.dot_.value = Math.max(1.1 * this.ratio, radiusPixels * 0.0071);
    this.uniforms.nearness.value = orbit.nearness;
    // Lines grow with the globe: on a wall they are seen from across the room.
    this.uniforms.scale.value = Math.min(3 * this.ratio, Math.max(0.85 * this.ratio, radiusPixels / LINE_RADIUS));
    this.ring.takeDirty((from, count) => {
      this.orders.clearUpdateRanges();
      this.orders.addUpdateRange(from * WORDS, count * WORDS);
      this.orders.needsUpdate = true;
    });
    for (const geometry of this.instanced) geometry.instanceCount = this.ring.limit;
    this.renderer.render(this.scene, this.camera);
  }

  dispose(): void {
    this.scene.traverse((object) => {
      if (object instanceof Mesh || object instanceof Points) {
        object.geometry.dispose();
        (object.material as RawShaderMaterial).dispose();
      }
    });
    this.renderer.dispose();
    this.renderer.forceContextLoss();
  }
}

/** The rectangle that covers the canvas. */
function square(): BufferGeometry {
  const geometry = new BufferGeometry();
  geometry.setAttribute('position', new BufferAttribute(new Float32Array([-1, -1, 0, 3, -1, 0, -1, 3, 0]), 3));
  return geometry;
}

function dots(land: Land): BufferGeometry {
  const geometry = new BufferGeometry();
  geometry.setAttribute('position', new BufferAttribute(land.vectors, 3));
  geometry.setAttribute('country', new BufferAttribute(land.country, 1));
  return geometry;
}

/** The uniforms that a palette fills. */
function colours() {
  const rgb = () => ({ value: new Vector3() });
  return {
    solid: { value: 0 },
    seaDay: rgb(), seaNight: rgb(), landDay: rgb(), landNight: rgb(), airNear: rgb(), airFar: rgb(),
    dusk: rgb(), lightTint: rgb(), chosenTint: rgb(), hotTint: rgb(),
    tones: { value: [new Vector3(), new Vector3(), new Vector3()] },
  };
}

/** A ribbon from tail (x 0) to head (x 1), and a cap beyond the head (z 1). */
function ribbonShape(): InstancedBufferGeometry {
  const positions: number[] = [];
  const index: number[] = [];
  for (let i = 0; i <= PIECES + 1; i++) {
    const x = Math.min(1, i / PIECES);
    const z = i > PIECES ? 1 : 0;
    positions.push(x, -1, z, x, 1, z);
    if (i > 0) index.push(2 * i - 2, 2 * i - 1, 2 * i, 2 * i, 2 * i - 1, 2 * i + 1);
  }
  return shape(positions, index);
}

/** Two squares: one on the ground where the arc starts (z 0), one where it lands (z 1). */
function ringShape(): InstancedBufferGeometry {
  const positions: number[] = [];
  for (const z of [0, 1]) positions.push(-1, -1, z, 1, -1, z, 1, 1, z, -1, 1, z);
  return shape(positions, [0, 1, 2, 0, 2, 3, 4, 5, 6, 4, 6, 7]);
}

function shape(positions: number[], index: number[]): InstancedBufferGeometry {
  const geometry = new InstancedBufferGeometry();
  geometry.setAttribute('position', new BufferAttribute(new Float32Array(positions), 3));
  geometry.setIndex(index);
  return geometry;
}
