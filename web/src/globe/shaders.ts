/**
 * All shaders of the globe, GLSL ES 3.0. Nothing here uses a depth buffer or
 * multisampling: the ball is drawn by ray in one rectangle, everything else
 * computes for itself how far the ball hides it, with soft edges. That is the
 * same picture on every card, and half the work on a slow one.
 */

/** Shared by what stands on or above the ground. */
const common = /* glsl */ `
  precision highp float;
  precision highp int;
  const float PI = 3.141592653589793;
  uniform vec3 eye;
  uniform float solid; // 1 on a light page: colours cover; 0: they are light

  // How much of a point the ball leaves to be seen: 1 in front, 0 behind.
  float seen(vec3 p) {
    vec3 d = normalize(p - eye);
    float tangent = -dot(eye, d);
    float miss = sqrt(max(0.0, dot(eye, eye) - tangent * tangent));
    return length(p - eye) < tangent ? 1.0 : smoothstep(0.992, 1.004, miss);
  }
`;

/** Reads an order's 16 bytes; see ring.ts. */
const order = /* glsl */ `
  in uvec4 order;
  uniform uint now;

  vec3 place(uint packed) {
    float lat = (float(packed >> 16u) / 65535.0 - 0.5) * PI;
    float lon = (float(packed & 65535u) / 65535.0 - 0.5) * 2.0 * PI;
    return vec3(cos(lat) * sin(lon), sin(lat), cos(lat) * cos(lon));
  }
  // Integer arithmetic: a wall that has run for weeks is as exact as on its first minute.
  float elapsed() { return float(int(now - order.z)); }
  float weight() { return log2(float(order.w & 65535u)); }
  uniform vec3 tones[3];
  vec3 tone() { return tones[int(order.w >> 16u)]; }
`;

export const ball = {
  vertex: /* glsl */ `
    in vec3 position;
    out vec2 at;
    void main() {
      at = position.xy;
      gl_Position = vec4(position.xy, 0.0, 1.0);
    }
  `,
  fragment: /* glsl */ `
    precision highp float;
    uniform vec3 eye;
    uniform vec3 right;
    uniform vec3 up;
    uniform vec3 sun;
    uniform vec3 seaDay;
    uniform vec3 seaNight;
    uniform vec3 airNear;
    uniform vec3 airFar;
    uniform vec3 dusk;
    uniform float solid;
    uniform vec2 spread; // tangent of half the field of view, across and up
    uniform float pixel; // size of a pixel at the ball, in radii
    in vec2 at;
    out vec4 color;

    void main() {
      vec3 d = normalize(-normalize(eye) + right * at.x * spread.x + up * at.y * spread.y);
      float tangent = -dot(eye, d);
      float miss = sqrt(max(0.0, dot(eye, eye) - tangent * tangent));
      vec3 edge = normalize(eye + d * tangent);
      float limb = clamp(dot(edge, sun) * 0.62 + 0.60, 0.16, 1.0);

      // Air outside the limb: a thin bright line that falls off into a wide haze.
      float out1 = max(0.0, miss - 1.0);
      float haze = exp(-out1 * 42.0) * 0.60 + exp(-out1 * 13.0) * 0.34;
      haze *= smoothstep(0.112, 0.02, out1) * limb * mix(1.0, 0.55, solid);
      vec3 tone = mix(airFar, airNear, exp(-out1 * 55.0));
      vec3 air = tone * haze;

      float half2 = max(0.0, 1.0 - miss * miss);
      vec3 n = normalize(eye + d * (tangent - sqrt(half2)));
      float facing = sqrt(half2);
      float height = dot(n, sun); // sine of the sun's height
      float day = smoothstep(-0.13, 0.22, height);
      vec3 sea = mix(seaNight, seaDay, day);
      sea *= mix(0.72 + 0.40 * facing, 1.0, solid);
      // Sunset: a narrow band where the sun stands at the horizon.
      float band = (height + 0.015) / 0.075;
      sea = mix(sea, dusk, exp(-band * band) * mix(0.11, 0.30, solid));
      // Sun on the water, seen from where it is mirrored.
      float glint = pow(max(0.0, dot(reflect(d, n), sun)), 9.0);
      sea += mix(vec3(0.022, 0.045, 0.085), vec3(0.05), solid) * glint * day;
      float rim = pow(1.0 - facing, 3.0);
      sea = mix(sea, airNear * mix(0.80, 1.0, solid), rim * limb * mix(0.80, 0.62, solid));

      float inside = smoothstep(1.0 + pixel, 1.0 - pixel, miss);
      vec3 color3 = mix(air, sea, inside);
      float cover = mix(mix(clamp(max(air.b, max(air.r, air.g)), 0.0, 1.0), haze, solid), 1.0, inside);
      color = vec4(color3, cover);
    }
  `,
};

export const land = {
  vertex: /* glsl */ `
    ${common}
    uniform mat4 projectionMatrix;
    uniform mat4 viewMatrix;
    uniform vec3 sun;
    uniform float dot_; // diameter in pixels of a dot that faces us
    uniform vec3 landDay;
    uniform vec3 landNight;
    uniform vec3 chosenTint;
    uniform vec2 marked; // the countries that are chosen and pointed at; -1: none
    in vec3 position;
    in float country;
    out vec4 tint;
    out float radius;
    void main() {
      float facing = dot(position, normalize(eye - position));
      float day = smoothstep(-0.13, 0.24, dot(position, sun));
      float chosen = abs(country - marked.x) < 0.5 ? 1.0 : 0.0;
      float pointed = abs(country - marked.y) < 0.5 ? 1.0 : 0.0;
      vec3 shade = mix(landNight, landDay, day);
      shade = mix(shade, chosenTint, max(chosen, pointed * 0.55));
      float alpha = mix(0.78, 0.96, day) * (marked.x >= 0.0 && chosen < 0.5 ? 0.55 : 1.0);
      tint = vec4(shade, smoothstep(0.02, 0.34, facing) * max(alpha, chosen));
      gl_Position = projectionMatrix * viewMatrix * vec4(position, 1.0);
      float size = dot_ * mix(0.72, 1.0, clamp(facing, 0.0, 1.0)) * (1.0 + 0.22 * chosen);
      radius = size * 0.5;
      gl_PointSize = facing > 0.0 ? size + 2.0 : 0.0;
    }
  `,
  fragment: /* glsl */ `
    precision highp float;
    in vec4 tint;
    in float radius;
    out vec4 color;
    void main() {
      float r = length(gl_PointCoord - 0.5) * (radius * 2.0 + 2.0);
      float a = tint.a * (1.0 - smoothstep(radius - 0.6, radius + 0.6, r));
      color = vec4(tint.rgb * a, a);
    }
  `,
};

/** Cities, lit where it is night. */
export const lights = {
  vertex: /* glsl */ `
    ${common}
    uniform mat4 projectionMatrix;
    uniform mat4 viewMatrix;
    uniform vec3 sun;
    uniform vec3 lightTint;
    uniform float dot_;
    in vec3 position;
    in float people; // 0 the smallest city .. 1 the largest
    out vec3 tint;
    void main() {
      float facing = dot(position, normalize(eye - position));
      float night = smoothstep(0.06, -0.14, dot(position, sun));
      tint = lightTint * night * smoothstep(0.03, 0.40, facing) * mix(0.50, 1.0, people);
      gl_Position = projectionMatrix * viewMatrix * vec4(position, 1.0);
      gl_PointSize = facing > 0.0 && night > 0.0 ? dot_ * mix(1.9, 5.2, people * people) + 2.0 : 0.0;
    }
  `,
  fragment: /* glsl */ `
    precision highp float;
    uniform float solid;
    in vec3 tint;
    out vec4 color;
    void main() {
      float r = length(gl_PointCoord - 0.5) * 2.0;
      float a = exp(-r * r * 5.0) * smoothstep(1.0, 0.7, r);
      color = vec4(tint * a * mix(0.85, 1.0, solid), a * mix(0.0, max(tint.r, 0.0), solid));
    }
  `,
};

export const arcs = {
  vertex: /* glsl */ `
    ${common}
    ${order}
    uniform mat4 projectionMatrix;
    uniform mat4 viewMatrix;
    uniform vec2 view; // half the canvas in pixels
    uniform float scale; // widths below are for scale 1
    uniform float flight; // milliseconds
    uniform float highest;
    uniform int picked; // the slot that a hand points at; -1: none
    in vec3 position; // x: 0 tail .. 1 head, y: side, z: 1 beyond the head
    out vec3 tint;
    out float bright;
    out vec3 where; // across, beyond the head (both in pixels), along
    out vec3 above;
    out vec2 size; // of core and glow in pixels

    vec3 from, tangent;
    float angle, lift;

    vec3 pathAt(float t) {
      vec3 ground = from * cos(angle * t) + tangent * sin(angle * t);
      return ground * (1.0 + lift * 4.0 * t * (1.0 - t));
    }
    float ease(float x) {
      x = clamp(x, 0.0, 1.0);
      return x * x * (3.0 - 2.0 * x);
    }

    void main() {
      bool held = gl_InstanceID == picked;
      float p = held ? 0.62 : elapsed() / flight;
      gl_Position = vec4(2.0, 2.0, 2.0, 1.0); // outside: nothing is drawn
      if (order.z == 0u || p < 0.0 || p > 1.0) return;

      from = place(order.x);
      vec3 to = place(order.y);
      float c = clamp(dot(from, to), -1.0, 1.0);
      angle = acos(c);
      if (angle < 0.002) return; // within a city: only its ring
      vec3 side = to - from * c;
      tangent = length(side) > 0.0001 ? normalize(side) : normalize(cross(from, vec3(0.0, 1.0, 0.0001)));
      lift = highest * (1.0 - exp(-angle * 1.9));

      float head = held ? 1.0 : ease(p / 0.80);
      float tail = held ? 0.0 : ease((p - 0.32) / 0.68);
      float t = mix(tail, head, position.x);
      vec3 here = pathAt(t);
      vec4 clip = projectionMatrix * viewMatrix * vec4(here, 1.0);
      vec4 next = projectionMatrix * viewMatrix * vec4(pathAt(t + 0.004), 1.0);
      vec2 step_ = (next.xy / next.w - clip.xy / clip.w) * view;
      vec2 ahead = step_ / max(length(step_), 0.0001);

      float heavy = min(weight(), 7.0);
      size = vec2(0.66 + 0.17 * heavy, 3.0 + 0.58 * heavy) * scale * (held ? 1.5 : 1.0);
      float reach = size.y * 1.9;
      vec2 offset = vec2(-ahead.y, ahead.x) * position.y * reach + ahead * position.z * reach;
      clip.xy += offset / view * clip.w;
      gl_Position = clip;

      where = vec3(position.y * reach, position.z * reach, held ? 0.55 + 0.45 * position.x : position.x);
      above = here;
      bright = (0.80 + 0.06 * heavy) * (1.0 - smoothstep(0.86, 1.0, p)) * smoothstep(0.0, 0.14, p);
      bright *= held ? 1.5 : picked >= 0 ? 0.38 : 1.0;
      tint = tone();
    }
  `,
  fragment: /* glsl */ `
    ${common}
    uniform vec3 hotTint;
    in vec3 tint;
    in float bright;
    in vec3 where;
    in vec3 above;
    in vec2 size;
    out vec4 color;
    void main() {
      float r = length(where.xy);
      float along = where.z;
      float core = 1.0 - smoothstep(size.x - 0.5, size.x + 0.7, r);
      float glow = exp(-r * r / (size.y * size.y) * 1.6);
      float fade = along * along;
      float hot = smoothstep(0.90, 1.0, along);
      float much = (core * (0.10 + 0.90 * fade) + glow * (0.16 * fade + 0.5 * hot * hot) * mix(1.0, 0.5, solid)) * bright * seen(above) * mix(1.0, 1.35, solid);
      float white = core * hot * 0.75 * bright * seen(above);
      vec3 light = tint * much + hotTint * white;
      color = solid > 0.5 ? vec4(mix(tint, hotTint, clamp(white, 0.0, 0.7)), 1.0) * clamp(much, 0.0, 1.0) : vec4(light, max(light.r, max(light.g, light.b)));
    }
  `,
};

export const rings = {
  vertex: /* glsl */ `
    ${common}
    ${order}
    uniform mat4 projectionMatrix;
    uniform mat4 viewMatrix;
    uniform float flight;
    uniform float landing;
    uniform float nearness;
    in vec3 position; // corner of the square, z: 0 where it starts, 1 where it lands
    out vec3 tint;
    out float facing;
    out vec3 across; // place in the square; z: progress, negative for a start
    void main() {
      gl_Position = vec4(2.0, 2.0, 2.0, 1.0);
      bool lands = position.z > 0.5;
      // In step: the ring opens when the head of the arc touches down.
      float q = lands ? (elapsed() - flight * 0.78) / landing : elapsed() / (landing * 0.7);
      if (order.z == 0u || q < 0.0 || q > 1.0) return;
      vec3 n = place(lands ? order.y : order.x);
      if (dot(n, normalize(eye - n)) < 0.02) return;
      vec3 east = normalize(cross(vec3(0.0, 1.0, 0.0001), n));
      vec3 north = cross(n, east);
      float heavy = min(weight(), 7.0);
      float reach = (lands ? 0.030 + 0.006 * heavy : 0.009 + 0.002 * heavy) * (weight() > 15.0 ? 2.6 : 1.0) / nearness; // a beacon is seen from far
      vec3 p = n * 1.001 + (east * position.x + north * position.y) * reach;
      gl_Position = projectionMatrix * viewMatrix * vec4(p, 1.0);
      tint = tone();
      facing = smoothstep(0.02, 0.3, dot(n, normalize(eye - n)));
      across = vec3(position.xy, lands ? q : -q - 0.001);
    }
  `,
  fragment: /* glsl */ `
    precision highp float;
    uniform float solid;
    in vec3 tint;
    in float facing;
    in vec3 across;
    out vec4 color;
    void main() {
      float r = length(across.xy);
      float q = abs(across.z);
      float soft = fwidth(r) * 1.2;
      float left = (1.0 - q) * (1.0 - q);
      float spread = 1.0 - left * (1.0 - q);
      float wide = 0.05 + 0.05 * left;
      float ring = across.z < 0.0 ? 0.0 : 1.0 - smoothstep(wide, wide + soft + 0.03, abs(r - spread * 0.86));
      float spot = exp(-r * r * (across.z < 0.0 ? 7.0 : 60.0));
      float much = (ring * 0.7 + spot * (across.z < 0.0 ? 0.14 : 0.4)) * left * facing;
      vec3 light = tint * much;
      color = vec4(light, mix(max(light.r, max(light.g, light.b)), clamp(much, 0.0, 1.0), solid));
    }
  `,
};
