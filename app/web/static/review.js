/* The decision of a review stands at the lower edge of a small screen; there it begins folded, so that the page can be
   read, unless something in it is wrong. */
"use strict";
const decide = document.querySelector("details.decide:not([data-keep])");
if (decide && matchMedia("(max-width: 52rem)").matches) decide.open = false;
