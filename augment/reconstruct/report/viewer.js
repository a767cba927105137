// The 3D view of the report: orbits a room, plays its people. Needs WebGL2 and nothing else; data come from #view3d-data.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("view3d-data").textContent);
  const $ = id => document.getElementById(id);
  const canvas = $("view3d"), gl = canvas.getContext("webgl2", {antialias: true, alpha: false});
  if (!gl) { $("view3d-problem").hidden = false; return; }

  const TYPES = {uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array, uint32: Uint32Array};
  const unpack = p => {
    const text = atob(p.data), bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return new TYPES[p.type](bytes.buffer);
  };

  // Matrices are column-major, as WebGL has them.
  const sub = (a, b) => a.map((v, i) => v - b[i]);
  const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
  const unit = a => { const n = Math.hypot(...a) || 1; return a.map(v => v / n); };
  const multiply = (a, b) => {
    const c = new Float32Array(16);
    for (let i = 0; i < 4; i++) for (let j = 0; j < 4; j++) for (let k = 0; k < 4; k++) c[4 * i + j] += a[4 * k + j] * b[4 * i + k];
    return c;
  };

  const program = (vertex, fragment) => {
    const made = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, "#version 300 es\nprecision highp float;\n" + source);
      gl.compileShader(shader);
      gl.attachShader(made, shader);
    }
    gl.linkProgram(made);
    if (!gl.getProgramParameter(made, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(made));
    const at = {}, count = gl.getProgramParameter(made, gl.ACTIVE_UNIFORMS);
    for (let i = 0; i < count; i++) {
      const name = gl.getActiveUniform(made, i).name;
      at[name.replace("[0]", "")] = gl.getUniformLocation(made, name);
    }
    return {made, at};
  };
  const SHADE = `
    vec3 normal = normalize(cross(dFdx(place), dFdy(place)));
    float light = 0.62 + 0.38 * abs(dot(normal, normalize(vec3(0.35, 0.85, 0.4))));`;
  const plain = program(`
    layout(location=0) in vec3 position; layout(location=1) in vec3 color;
    uniform mat4 matrix; uniform float scale; uniform float size; out vec3 place; out vec3 tint;
    void main() {
      place = position * scale; tint = color; gl_Position = matrix * vec4(place, 1.0);
      gl_PointSize = clamp(size / gl_Position.w, 1.5, 9.0);
    }`, `
    in vec3 place; in vec3 tint; uniform float lit; out vec4 result;
    void main() {
      result = vec4(tint, 1.0);
      // Lines and points have no normal: theirs would be NaN.
      if (lit > 0.0) { ${SHADE} result.rgb *= mix(1.0, light, lit); }
    }`);
  const skinned = program(`
    layout(location=0) in vec3 position; layout(location=1) in vec4 joints; layout(location=2) in vec4 weights;
    uniform mat4 matrix; uniform float scale; uniform vec4 bones[72]; out vec3 place;
    void main() {
      vec4 rest = vec4(position * scale, 1.0); vec3 sum = vec3(0.0); float total = 0.0;
      for (int i = 0; i < 4; i++) {
        int j = 3 * int(joints[i] + 0.5);
        sum += weights[i] * vec3(dot(bones[j], rest), dot(bones[j + 1], rest), dot(bones[j + 2], rest)); total += weights[i];
      }
      place = sum / total; gl_Position = matrix * vec4(place, 1.0);
    }`, `
    in vec3 place; uniform vec4 tint; out vec4 result;
    void main() { ${SHADE} result = vec4(tint.rgb * light, tint.a); }`);

  const buffer = (values, target = gl.ARRAY_BUFFER) => {
    const made = gl.createBuffer();
    gl.bindBuffer(target, made);
    gl.bufferData(target, values, gl.STATIC_DRAW);
    return made;
  };
  const GL_TYPE = {uint8: gl.UNSIGNED_BYTE, int16: gl.SHORT, uint16: gl.UNSIGNED_SHORT, uint32: gl.UNSIGNED_INT, float32: gl.FLOAT};
  const attribute = (place, values, type, size, normalized) => {
    buffer(values);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, size, GL_TYPE[type], normalized, 0, 0);
  };
  const shape = fill => {
    const vao = gl.createVertexArray();
    gl.bindVertexArray(vao);
    const made = {vao, ...fill()};
    gl.bindVertexArray(null);
    return made;
  };
  const lineShape = groups => shape(() => {
    const points = [], colors = [];
    for (const {lines, color} of groups) for (const line of lines) for (const point of line) {
      points.push(...point);
      colors.push(...color);
    }
    attribute(0, new Float32Array(points), "float32", 3, false);
    attribute(1, new Uint8Array(colors), "uint8", 3, true);
    return {count: points.length / 3, scale: 1};
  });
  const faceBuffer = p => { buffer(unpack(p), gl.ELEMENT_ARRAY_BUFFER); return {count: p.shape[0] * 3, type: GL_TYPE[p.type]}; };

  const room = data.room && shape(() => {
    attribute(0, unpack(data.room.vertices), "int16", 3, false);
    attribute(1, unpack(data.room.colors), "uint8", 3, true);
    return {...faceBuffer(data.room.faces), scale: data.room.vertices.unit};
  });
  const cloud = data.cloud && shape(() => {
    attribute(0, unpack(data.cloud.points), "int16", 3, false);
    attribute(1, unpack(data.cloud.colors), "uint8", 3, true);
    return {count: data.cloud.points.shape[0], scale: data.cloud.points.unit};
  });
  const grid = [], reach = Math.max(2, Math.ceil(data.floor.reach / 2) + 1);
  const gx = Math.round(data.floor.x), gz = Math.round(data.floor.z);
  for (let i = -reach; i <= reach; i++) grid.push([[gx + i, -0.004, gz - reach], [gx + i, -0.004, gz + reach]], [[gx - reach, -0.004, gz + i], [gx + reach, -0.004, gz + i]]);
  const outlines = lineShape([{lines: grid, color: [206, 212, 220]}, ...data.outlines]);
  const frustum = lineShape([{lines: data.camera.lines, color: [190, 40, 60]}]);

  const clips = data.clips.map(clip => ({...clip, people: clip.people.map(person => {
    const pelvis = unpack(person.pelvis), path = [];
    for (let i = 0; i + 1 < person.count; i++) path.push([0, 1].map(k => [0, 1, 2].map(a => a === 1 ? 0.012 : pelvis[3 * (i + k) + a] * person.pelvis.unit)));
    return {...person, turns: unpack(person.turns), shifts: unpack(person.shifts), states: unpack(person.states),
      turn: person.turns.unit, shift: person.shifts.unit, path: lineShape([{lines: path, color: person.color}]),
      skin: shape(() => {
        attribute(0, unpack(person.rest), "int16", 3, false);
        attribute(1, unpack(person.joints), "uint8", 4, false);
        attribute(2, unpack(person.weights), "uint8", 4, true);
        return {...faceBuffer(data.faces), scale: person.rest.unit};
      })};
  })}));
  const bones = new Float32Array(24 * 12);
  const pose = (person, row) => {
    const a = Math.max(0, Math.min(person.count - 1, Math.floor(row))), b = Math.min(person.count - 1, a + 1), s = Math.max(0, Math.min(1, row - a));
    for (let j = 0; j < 24; j++) for (let r = 0; r < 3; r++) {
      for (let c = 0; c < 3; c++) {
        const at = 9 * j + 3 * r + c;
        bones[12 * j + 4 * r + c] = ((1 - s) * person.turns[216 * a + at] + s * person.turns[216 * b + at]) * person.turn;
      }
      const at = 3 * j + r;
      bones[12 * j + 4 * r + 3] = ((1 - s) * person.shifts[72 * a + at] + s * person.shifts[72 * b + at]) * person.shift;
    }
    return person.states[a];
  };

  // State, and the three views one can go to.
  const on = name => $("show-" + name) && $("show-" + name).checked;
  const look = {yaw: 0, pitch: 0.5, distance: 6, target: [0, 0, 0], fov: 0.8};
  let clip = 0, time = 0, playing = false, dirty = true, last = 0;
  const center = [data.floor.x, 0.7, data.floor.z];
  const VIEWS = {
    filmed: () => {
      const back = data.camera.forward.map(v => -v), distance = Math.max(1.5, dot(sub(center, data.camera.eye), data.camera.forward));
      Object.assign(look, {pitch: Math.asin(Math.max(-1, Math.min(1, back[1]))), yaw: Math.atan2(back[0], back[2]), distance,
        target: data.camera.eye.map((v, i) => v + distance * data.camera.forward[i]), fov: data.camera.fov});
    },
    above: () => Object.assign(look, {pitch: 1.52, yaw: Math.PI, distance: 1.5 * data.floor.reach + 2.5, target: [...center], fov: 0.7}),
    corner: () => Object.assign(look, {pitch: 0.55, yaw: Math.PI - 0.75, distance: 1.25 * data.floor.reach + 2.5, target: [...center], fov: 0.7}),
  };
  const matrix = () => {
    const {yaw, pitch, distance, target} = look;
    const back = [Math.cos(pitch) * Math.sin(yaw), Math.sin(pitch), Math.cos(pitch) * Math.cos(yaw)];
    const eye = target.map((v, i) => v + distance * back[i]);
    const right = unit(cross([0, 1, 0], back)), up = cross(back, right);
    const view = [right[0], up[0], back[0], 0, right[1], up[1], back[1], 0, right[2], up[2], back[2], 0, -dot(right, eye), -dot(up, eye), -dot(back, eye), 1];
    const f = 1 / Math.tan(look.fov / 2), near = 0.05, far = 200;
    const lens = [f * canvas.height / canvas.width, 0, 0, 0, 0, f, 0, 0, 0, 0, (far + near) / (near - far), -1, 0, 0, 2 * far * near / (near - far), 0];
    return {whole: multiply(lens, view), right, up};
  };

  const drawPlain = (thing, whole, mode, {lit = 0, size = 0} = {}) => {
    gl.useProgram(plain.made);
    gl.uniformMatrix4fv(plain.at.matrix, false, whole);
    gl.uniform1f(plain.at.scale, thing.scale);
    gl.uniform1f(plain.at.size, size);
    gl.uniform1f(plain.at.lit, lit);
    gl.bindVertexArray(thing.vao);
    if (thing.type) gl.drawElements(mode, thing.count, thing.type, 0); else gl.drawArrays(mode, 0, thing.count);
  };
  const drawPerson = (person, row, whole, alpha) => {
    const state = pose(person, row);
    const color = state === 2 ? [200, 55, 60] : person.color;
    gl.useProgram(skinned.made);
    gl.uniformMatrix4fv(skinned.at.matrix, false, whole);
    gl.uniform1f(skinned.at.scale, person.skin.scale);
    gl.uniform4fv(skinned.at.bones, bones);
    gl.uniform4f(skinned.at.tint, ...color.map(v => v / 255), state === 1 ? 0.5 * alpha : alpha);
    gl.bindVertexArray(person.skin.vao);
    gl.drawElements(gl.TRIANGLES, person.skin.count, person.skin.type, 0);
  };
  const draw = () => {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, {width, height});
    gl.viewport(0, 0, width, height);
    gl.clearColor(0.945, 0.953, 0.965, 1);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.enable(gl.DEPTH_TEST);
    gl.disable(gl.BLEND);
    const {whole} = matrix();
    (on("walls") ? gl.enable : gl.disable).call(gl, gl.CULL_FACE);
    if (room && on("room")) drawPlain(room, whole, gl.TRIANGLES, {lit: 0.6});
    gl.disable(gl.CULL_FACE);
    if (cloud && on("cloud")) drawPlain(cloud, whole, gl.POINTS, {size: 0.02 * height});
    if (on("outlines")) drawPlain(outlines, whole, gl.LINES);
    if (on("camera")) drawPlain(frustum, whole, gl.LINES);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
    for (const person of clips.length ? clips[clip].people : []) {
      if (on("paths") && person.path.count) drawPlain(person.path, whole, gl.LINES);
      const row = (time - person.start) * person.rate;
      if (on("people") && row > -0.5 && row < person.count - 0.5) drawPerson(person, row, whole, 1);
      if (on("ghosts")) {
        gl.depthMask(false);
        gl.enable(gl.CULL_FACE);
        gl.enable(gl.POLYGON_OFFSET_FILL);  // behind the body itself where somebody keeps still
        gl.polygonOffset(2, 20);
        for (let i = 0; i < 6; i++) drawPerson(person, (i + 0.5) / 6 * (person.count - 1), whole, 0.22);
        gl.disable(gl.POLYGON_OFFSET_FILL);
        gl.disable(gl.CULL_FACE);
        gl.depthMask(true);
      }
    }
    gl.bindVertexArray(null);
  };

  const slider = $("view3d-time"), play = $("view3d-play"), choice = $("view3d-clip");
  const seconds = () => clips.length ? Math.max(clips[clip].seconds, 0.01) : 1;
  const show = () => {
    slider.value = Math.round(1000 * time / seconds());
    slider.setAttribute("aria-valuetext", time.toFixed(1) + " seconds");
    $("view3d-clock").textContent = time.toFixed(1) + " s of " + seconds().toFixed(1) + " s";
    play.textContent = playing ? "Pause" : "Play";
    dirty = true;
  };
  const frame = now => {
    if (playing) { time = (time + Math.min(0.2, (now - last) / 1000)) % seconds(); show(); }
    last = now;
    if (dirty) { dirty = false; draw(); }
    requestAnimationFrame(frame);
  };
  slider.addEventListener("input", () => { time = slider.value / 1000 * seconds(); playing = false; show(); });
  play.addEventListener("click", () => { playing = !playing; show(); });
  choice.addEventListener("change", () => { clip = choice.selectedIndex; time = 0; show(); });
  for (const box of document.querySelectorAll("#view3d-panel input[type=checkbox]")) box.addEventListener("change", () => { dirty = true; });
  for (const button of document.querySelectorAll("[data-view]")) button.addEventListener("click", () => { VIEWS[button.dataset.view](); dirty = true; });

  const turn = (dx, dy) => { look.yaw -= dx * 0.006; look.pitch = Math.max(-1.55, Math.min(1.55, look.pitch + dy * 0.006)); dirty = true; };
  const pan = (dx, dy) => {
    const {right, up} = matrix(), step = look.distance * 2 * Math.tan(look.fov / 2) / canvas.clientHeight;
    look.target = look.target.map((v, i) => v - dx * step * right[i] + dy * step * up[i]);
    dirty = true;
  };
  const zoom = by => { look.distance = Math.max(0.4, Math.min(60, look.distance * by)); dirty = true; };
  const held = new Map();
  canvas.addEventListener("pointerdown", e => { canvas.setPointerCapture(e.pointerId); held.set(e.pointerId, [e.clientX, e.clientY]); });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, e => held.delete(e.pointerId));
  canvas.addEventListener("pointermove", e => {
    if (!held.has(e.pointerId)) return;
    const [x, y] = held.get(e.pointerId), dx = e.clientX - x, dy = e.clientY - y;
    if (held.size === 2) {
      const other = [...held].find(([id]) => id !== e.pointerId)[1];
      zoom(Math.hypot(x - other[0], y - other[1]) / Math.max(1, Math.hypot(e.clientX - other[0], e.clientY - other[1])));
      pan(dx / 2, dy / 2);
    } else if (e.shiftKey || e.buttons & 2) pan(dx, dy); else turn(dx, dy);
    held.set(e.pointerId, [e.clientX, e.clientY]);
  });
  canvas.addEventListener("contextmenu", e => e.preventDefault());
  canvas.addEventListener("wheel", e => { e.preventDefault(); zoom(Math.exp(e.deltaY * 0.001)); }, {passive: false});
  const KEYS = {ArrowLeft: () => turn(-20, 0), ArrowRight: () => turn(20, 0), ArrowUp: () => turn(0, 15), ArrowDown: () => turn(0, -15),
    "+": () => zoom(0.9), "-": () => zoom(1.1), " ": () => { playing = !playing; show(); }};
  canvas.addEventListener("keydown", e => { if (KEYS[e.key]) { e.preventDefault(); KEYS[e.key](); } });
  new ResizeObserver(() => { dirty = true; }).observe(canvas);

  VIEWS.corner();
  if (clips.length) time = seconds() / 2;
  show();
  requestAnimationFrame(frame);
})();
