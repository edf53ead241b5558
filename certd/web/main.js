// SPDX-License-Identifier: Apache-2.0

import { say } from "./lib/say.js";

say("Holdfast");
