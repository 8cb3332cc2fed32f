// The gallery: every state of the page, at every size, without a backend.

const SIZES = { laptop: [1440, 900], phone: [390, 844], wall: [1920, 1080], embed: [480, 480] };

const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

/** The page that shows them, one at a time, chosen by #NAME. */
export function gallery(modes) {
  const items = Object.entries(modes).map(([name, { about }]) => `<li><a href="#${name}"><b>${name}</b> ${escape(about)}</a>`);
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>States of the page</title>
<style>
body{margin:0;display:grid;grid-template-columns:17rem 1fr;height:100vh;font:14px/1.4 system-ui;background:#111;color:#ddd}
nav{overflow:auto;padding:1rem}ul{list-style:none;margin:1rem 0;padding:0}a{color:inherit;text-decoration:none;display:block;padding:.25rem .4rem;border-radius:.3rem}
a:hover,a[aria-current]{background:#2a3550}b{color:#8ab4ff}main{overflow:auto;padding:1rem}iframe{border:1px solid #444;background:#000;transform-origin:0 0}input{width:100%}
</style>
<nav><label>Size <select id="size">${Object.keys(SIZES).map((name) => `<option>${name}`)}</select></label>
<p><label>More of the address <input id="more" placeholder="theme=light&amp;lang=ja"></label><ul>${items.join('')}</ul></nav><main><iframe title="the page"></iframe></main>
<script>
const SIZES=${JSON.stringify(SIZES)},frame=document.querySelector('iframe'),size=document.querySelector('#size'),more=document.querySelector('#more');
function show(){
  const name=location.hash.slice(1)||'live',[w,h]=SIZES[size.value],room=document.querySelector('main');
  const scale=Math.min(1,(room.clientWidth-32)/w);
  Object.assign(frame,{width:w,height:h});frame.style.transform='scale('+scale+')';
  frame.src='/state/'+name+'/'+(size.value==='embed'?'embed':'')+'?'+more.value;
  for(const a of document.querySelectorAll('a'))a.toggleAttribute('aria-current',a.hash.slice(1)===name);
}
addEventListener('hashchange',show);addEventListener('resize',show);size.onchange=more.onchange=show;show();
</script></html>`;
}
