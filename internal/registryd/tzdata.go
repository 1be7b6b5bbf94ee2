package registryd

import _ "time/tzdata" // pages show times in the zones of their readers, also on machines without the time zone database
